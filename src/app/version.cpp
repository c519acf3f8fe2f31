#include "app/version.hpp"

namespace lc {

std::string_view version_text() {
    return LOCALCODE_VERSION;
}

}  // namespace lc
