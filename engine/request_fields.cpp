#include "request_fields.h"

#include "speculative.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace {
/// A bit per kind of draft. "none" allows no kind.
std::uint32_t draft_types(const json& value) {
    std::vector<std::string> names;
    if (value.is_string()) {
        names.push_back(value.get<std::string>());
    } else if (value.is_array()) {
        for (const auto& name : value) {
            if (!name.is_string()) {
                throw std::invalid_argument("'speculative.type' must be a name or a list of names");
            }
            names.push_back(name.get<std::string>());
        }
    } else {
        throw std::invalid_argument("'speculative.type' must be a name or a list of names");
    }
    std::uint32_t out = 0;
    for (const auto type : common_speculative_types_from_names(names)) {
        if (type != COMMON_SPECULATIVE_TYPE_NONE) {
            out |= 1U << type;
        }
    }
    return out;
}
}  // namespace

void apply_request_fields(const json& body, task_params& params) {
    params.report_tokens = params.return_tokens;

    if (body.contains("speculative.n_max")) {
        const auto& n_max = body.at("speculative.n_max");
        if (!n_max.is_number_integer() || n_max.get<std::int64_t>() < 0 || n_max.get<std::int64_t>() > INT32_MAX) {
            throw std::invalid_argument("'speculative.n_max' must be an integer of at least 0");
        }
        params.draft_n_max = n_max.get<std::int32_t>();
    }
    if (body.contains("speculative.type")) {
        params.draft_types = draft_types(body.at("speculative.type"));
        if (params.draft_types == 0) {
            params.draft_n_max = 0;
        }
    }
    if (body.contains("batch_key")) {
        const auto& key = body.at("batch_key");
        if (!key.is_number_integer() || key.get<std::int64_t>() < 0) {
            throw std::invalid_argument("'batch_key' must be an integer of at least 0");
        }
        params.batch_key = static_cast<std::uint64_t>(key.get<std::int64_t>());
    }
}
