#include "state/save.h"

#include "state/save_job.h"
#include "state/service.h"

#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

namespace {
std::string line(const json& event) { return safe_json_to_str(event) + "\n"; }

std::string error_line(const SaveError& error) {
    return line({{"event", "error"}, {"code", error.code}, {"message", error.message}});
}

/// First what was copied, then what was written.
struct SaveStream : server_http_res {
    std::unique_ptr<SaveJob> job;
    bool copied = false;

    bool step(std::string& out) {
        try {
            if (!copied) {
                copied = true;
                job->copy();
                out = line({{"event", "copied"}, {"n_tokens", job->n_copied()}});
                return true;
            }
            out = line(job->finish());
        } catch (const std::exception& e) {
            out = error_line({"internal", e.what()});
        }
        job.reset();
        return false;
    }
};
}  // namespace

SaveRequest parse_save_request(const json& body) {
    SaveRequest out;
    const auto slot = body.value("slot", json());
    if (!slot.is_number_integer() || slot.get<std::int64_t>() < 0 || slot.get<std::int64_t>() > 4096) {
        throw std::invalid_argument("'slot' must be the number of a slot");
    }
    out.slot = slot.get<int>();
    out.scope.name_space = parse_name(body.value("namespace", json()), "namespace");
    out.scope.identity = parse_name(body.value("identity", json()), "identity");
    out.cuts = parse_counts(body.value("cuts", json::array()), 65536, "cuts");
    const auto staging = body.value("staging", json());
    const bool good = staging.is_string() && staging.get<std::string>().size() > 4 && staging.get<std::string>().size() < 128 &&
        staging.get<std::string>().compare(0, 4, "tmp/") == 0 &&
        staging.get<std::string>().find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", 4) ==
            std::string::npos;
    if (!good) {
        throw std::invalid_argument("'staging' must be tmp/ and a name of letters, digits, - and _");
    }
    out.staging = staging.get<std::string>();
    const auto have = body.value("have", json::array());
    if (!have.is_array() || have.size() > 200000) {
        throw std::invalid_argument("'have' must be a list of names");
    }
    for (const auto& name : have) {
        out.have.insert(parse_name(name, "have"));
    }
    return out;
}

server_http_context::handler_t save_handler(StateService& service) {
    return [&service](const server_http_req& req) -> server_http_res_ptr {
        const auto body = json::parse(req.body);
        if (!body.is_object() || !service.has_token(body)) {
            throw std::invalid_argument("this route is for the gateway of this engine");
        }
        auto res = std::make_unique<SaveStream>();
        res->content_type = "application/x-ndjson";
        res->job = std::make_unique<SaveJob>(service, parse_save_request(body));
        if (const auto error = res->job->begin()) {
            res->status = std::string_view(error->code) == "busy" ? 409 : 200;
            res->data = error_line(*error);
            return res;
        }
        res->next = [stream = res.get()](std::string& out) { return stream->step(out); };
        return res;
    };
}
