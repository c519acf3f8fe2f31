// The HTTP routes of the engine: all of llama-server's inference routes, and what the engine adds under /localcode/.
#pragma once
#include <memory>
#include <string_view>

struct EngineStats;
struct server_http_context;
struct server_routes;
class StateService;

inline constexpr int engine_api_version = 1;
inline constexpr std::string_view engine_llama_version = LOCALCODE_LLAMA_VERSION;

/// Registers every route. All must outlive the HTTP server's threads.
void register_routes(const server_http_context& http, const server_routes& routes, std::shared_ptr<const EngineStats> stats,
                     StateService& states);
