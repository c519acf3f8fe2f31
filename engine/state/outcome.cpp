#include "state/outcome.h"

#include "server-common.h"

#include <utility>

namespace kv = lc::kv;

void note_fault(StateOutcome& outcome, const BlobFault& fault, kv::BlobKind kind, const lc::Digest& name) {
    outcome.reason = fault.reason;
    if (fault.quarantine) {
        outcome.bad.push_back({kind, name, fault.why});
    }
}

std::string to_line(const StateOutcome& o) {
    json out = {{"slot", o.slot}, {"prompt", o.prompt}, {"had", o.had}, {"used", o.used}, {"from", o.from}, {"bytes", o.bytes}, {"ms", o.ms}};
    for (const auto& [name, text] : {std::pair{"state", &o.state}, {"tail", &o.tail}, {"reason", &o.reason}}) {
        if (!text->empty()) {
            out[name] = *text;
        }
    }
    out["generation"] = o.generation;
    if (const auto& h = o.history) {
        out["history"] = {{"tokens", h->kept}, {"turns", h->turns}, {"slot", h->slot_known}, {"state", h->state_known}};
    }
    if (!o.bad.empty()) {
        json bad = json::array();
        for (const auto& file : o.bad) {
            bad.push_back({{"kind", std::string(kv::name_of(file.kind))}, {"name", lc::hex(file.name)}, {"why", file.why}});
        }
        out["bad"] = bad;
    }
    return safe_json_to_str(out);
}
