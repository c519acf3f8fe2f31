#include "shell/net/http_types.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace lc::net {

std::string_view get(const Fields& fields, std::string_view name) {
    for (const Field& field : fields) {
        if (iequals(field.name, name)) return field.value;
    }
    return {};
}

void set(Fields& fields, std::string_view name, std::string value) {
    erase(fields, name);
    fields.push_back({std::string(name), std::move(value)});
}

void erase(Fields& fields, std::string_view name) {
    std::erase_if(fields, [name](const Field& field) { return iequals(field.name, name); });
}

}  // namespace lc::net
