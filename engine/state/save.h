// POST /localcode/save: what an idle slot holds goes into files for the store.
#pragma once
#include "server-http.h"

class StateService;

/// The route's handler. `service` outlives the HTTP server's threads.
server_http_context::handler_t save_handler(StateService& service);
