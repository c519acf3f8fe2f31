#include "app/engines/prepare.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/text.hpp"
#include "core/engine/argv.hpp"
#include "core/templates/templates.hpp"
#include "shell/process/child.hpp"
#include "shell/sys/fd.hpp"
#include "shell/sys/machine.hpp"

namespace lc::engines {

namespace fs = std::filesystem;
using templates::Family;

namespace {

constexpr std::size_t max_template_bytes = 1 << 20;

constexpr std::string_view remedy =
    "; set chat_template for this model to a file, or to the name of a template that ships with llama.cpp";

/// A template named in the config: a file, or a name of one that ships with llama.cpp.
Result<std::string> configured_template(const std::string& wanted, const std::string& folder) {
    std::error_code ec;
    if (wanted.find('/') != std::string::npos || fs::is_regular_file(wanted, ec)) {
        if (!fs::is_regular_file(wanted, ec))
            return fail(Errc::model_load_failed, "chat_template: there is no file " + wanted);
        return fs::absolute(wanted).string();
    }
    std::vector<std::string> names;
    if (!folder.empty()) {
        for (const auto& entry : fs::directory_iterator(folder, ec)) {
            if (entry.path().extension() == ".jinja") names.push_back(entry.path().stem().string());
        }
    }
    std::sort(names.begin(), names.end());
    const std::string stem = wanted.ends_with(".jinja") ? wanted.substr(0, wanted.size() - 6) : wanted;
    for (const auto& name : names) {
        if (iequals(name, stem)) return folder + "/" + name + ".jinja";
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const auto near = nearest(stem, views);
    return fail(Errc::model_load_failed,
                "chat_template: '" + wanted + "' is neither a file nor a template that ships with llama.cpp" +
                    (folder.empty() ? std::string(" (their folder was not found; LOCALCODE_TEMPLATES can name it)")
                     : near.empty() ? " (they are in " + folder + ")"
                                    : "; did you mean '" + std::string(near) + "'?"));
}

/// The tool-capable text of the family and what to call it; an empty text: there is none.
struct ToolTemplate {
    std::string text, name, why_not;
};

ToolTemplate tool_template(Family family, const std::string& folder) {
    if (const auto text = templates::builtin_tool_template(family); !text.empty()) {
        return {std::string(text), "a " + std::string(templates::name_of(family)) + " template with tools", {}};
    }
    const std::string file(templates::tool_template_of(family));
    if (file.empty())
        return {{}, {}, "there is none with tools for its family (" + std::string(templates::name_of(family)) + ")"};
    if (folder.empty())
        return {{}, {}, "the folder with llama.cpp's templates was not found (LOCALCODE_TEMPLATES can name it)"};
    auto text = sys::read_file(folder + "/" + file, max_template_bytes);
    if (!text) return {{}, {}, text.error().detail};
    return {std::move(*text), file, {}};
}

std::int64_t device_memory(const Program& program, const config::Model& model) {
    if (model.gpu_layers == 0) return 0;
    process::Spec spec;
    spec.program = program.path;
    spec.args = {"--list-devices"};
    spec.keep_env = engine_inherits;
    // A program that does not know the option, or takes too long: then only the machine's memory counts.
    const auto listed = process::run(spec, std::chrono::seconds(20));
    return listed ? engine::free_device_memory(listed->output) : 0;
}

}  // namespace

Result<TemplateChoice> choose_template(const config::Model& model, const gguf::Info& info,
                                       const std::string& templates_dir, const std::string& composed_file) {
    TemplateChoice out;
    if (!model.chat_template.empty()) {
        const auto file = configured_template(model.chat_template, templates_dir);
        if (!file) return tl::unexpected(file.error());
        const auto text = sys::read_file(*file, max_template_bytes);
        if (!text) return fail(Errc::model_load_failed, "chat_template: " + text.error().detail);
        out.file = *file;
        out.note = "chat template: " + model.chat_template + " (configured)";
        out.reasoning = templates::renders_reasoning(*text);
        if (!templates::renders_tools(*text)) {
            out.problem = "the configured chat template does not render tools" + std::string(remedy);
        }
        return out;
    }
    // Embedding models have no chat; a template of the makers' for tools is taken by llama.cpp itself.
    if (engine::purpose_of(model, info) != engine::Purpose::generate || !info.chat_template_tools.empty()) {
        out.reasoning = templates::renders_reasoning(info.chat_template_tools);
        return out;
    }
    const bool none = info.chat_template.empty();
    const std::string_view own = none ? templates::fallback_template() : std::string_view(info.chat_template);
    out.reasoning = templates::renders_reasoning(own);
    if (templates::renders_tools(own)) return out;
    const Family family = templates::family_of(own);
    const std::string which =
        none ? "the model brings no chat template (ChatML is used)"
             : "the model's own chat template (" + std::string(templates::name_of(family)) + ") does not render tools";
    const ToolTemplate tools = tool_template(family, templates_dir);
    if (tools.text.empty()) {
        out.problem = which + ", and " + tools.why_not + std::string(remedy);
        out.note = which + ", and " + tools.why_not + ": requests with tools are refused";
        return out;
    }
    out.file = composed_file;
    out.content = templates::compose(own, tools.text);
    out.note = which + ": requests with tools use " + tools.name;
    return out;
}

Result<Prepared> prepare(const PrepareInput& input) {
    Prepared out;
    auto header = read_header(input.model, input.known);
    if (!header) return tl::unexpected(header.error());
    out.header = std::move(*header);
    out.info = describe_header(input.model, *out.header);

    const sys::Env env = sys::process_env();
    const auto executable = sys::executable_path();
    if (!executable) return tl::unexpected(executable.error());
    auto program =
        find_engine(env, *executable, input.model.engine.empty() ? input.engine_program : input.model.engine);
    if (!program) return tl::unexpected(program.error());
    out.program = std::move(*program);

    if (auto made = sys::ensure_private_dir(input.engines_dir, sys::Symlink::follow); !made)
        return tl::unexpected(made.error());
    const std::string templates_dir = find_templates(env, *executable, input.templates_dir);
    const std::string composed = input.engines_dir + "/" + file_name_of(input.model.name) + ".jinja";
    auto chosen = choose_template(input.model, out.header->info, templates_dir, composed);
    if (!chosen) return tl::unexpected(chosen.error());
    if (!chosen->content.empty()) {
        if (auto written = sys::replace_file(chosen->file, chosen->content); !written)
            return tl::unexpected(written.error());
    }
    out.info.template_note = chosen->note;
    out.info.tools = chosen->problem.empty();
    out.info.reasoning = chosen->reasoning;
    out.template_problem = chosen->problem;

    engine::Machine machine;
    machine.cores = sys::cores();
    machine.engines = input.engines;
    machine.to_come = input.to_come;
    const auto memory = sys::memory_available();
    if (!memory) return tl::unexpected(memory.error());
    machine.memory_available = *memory;
    machine.device_memory = device_memory(out.program, input.model);
    const auto projector = find_projector(input.model, out.header->info);
    if (!projector) return tl::unexpected(projector.error());
    out.info.vision = projector->images;
    out.info.audio = projector->audio;
    config::Model model = input.model;
    model.mmproj = projector->file;
    auto plan = engine::plan(model, out.header->info, out.header->file_bytes + projector->bytes, machine, input.socket,
                             chosen->file, out.program.ours);
    if (!plan) return tl::unexpected(plan.error());
    if (!projector->note.empty()) plan->notes.push_back(projector->note);
    out.args = std::move(plan->args);
    out.info.context_per_slot = plan->context_per_slot;
    out.info.slots = plan->slots;
    out.info.yarn_factor = plan->yarn_factor;
    out.info.notes = std::move(plan->notes);
    return out;
}

}  // namespace lc::engines
