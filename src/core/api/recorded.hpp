// Answers of llama.cpp v0.5.0's llama-server with SmolLM2-135M-Instruct to the same request, streamed and not, recorded
// on loopback (temperature 0 but for two_choices); only the model's path was shortened. For tests.
#pragma once

#include <string_view>

namespace lc::api::recorded {

struct Pair {
    std::string_view name, stream, whole;
};

inline constexpr Pair chat{
    "chat",
    R"~~(data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795373669,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk","prompt_progress":{"total":43,"cache":0,"processed":0,"time_ms":0}}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795373673,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk","prompt_progress":{"total":43,"cache":0,"processed":43,"time_ms":3874}}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795373673,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Z"}}],"created":1795373673,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"o"}}],"created":1795373678,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"ë"}}],"created":1795373684,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" 😀"}}],"created":1795373692,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"🌈"}}],"created":1795373693,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"🌈"}}],"created":1795373693,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1795373693,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[],"created":1795373693,"id":"chatcmpl-Pk5bkjDuk0e3uThOaPcUAcke3HiwHfZH","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk","usage":{"completion_tokens":12,"prompt_tokens":43,"total_tokens":55,"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":43,"prompt_ms":3875.261,"prompt_per_token_ms":90.1223488372093,"prompt_per_second":11.096026822451442,"predicted_n":12,"predicted_ms":20081.37,"predicted_per_token_ms":1825.5790909090908,"predicted_per_second":0.5477713920912767}}

data: [DONE]

)~~",
    R"~~({"choices":[{"finish_reason":"length","index":0,"message":{"role":"assistant","content":"Zoë 😀🌈🌈"}}],"created":1795373705,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion","usage":{"completion_tokens":12,"prompt_tokens":43,"total_tokens":55,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-X8CL6bEgGxwBCutA9PzGX0Hu9DAqCcsK","timings":{"cache_n":0,"prompt_n":43,"prompt_ms":2590.809,"prompt_per_token_ms":60.251372093023264,"prompt_per_second":16.597132401500843,"predicted_n":12,"predicted_ms":8862.097,"predicted_per_token_ms":805.6451818181818,"predicted_per_second":1.2412412096143837}})~~"};

inline constexpr Pair without_usage{
    "without_usage",
    R"~~(data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795373708,"id":"chatcmpl-qoJAKRVy11wab8YbPhqqLPB9nJRdfrTD","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Z"}}],"created":1795373708,"id":"chatcmpl-qoJAKRVy11wab8YbPhqqLPB9nJRdfrTD","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"o"}}],"created":1795373709,"id":"chatcmpl-qoJAKRVy11wab8YbPhqqLPB9nJRdfrTD","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"ë"}}],"created":1795373709,"id":"chatcmpl-qoJAKRVy11wab8YbPhqqLPB9nJRdfrTD","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" 😀"}}],"created":1795373710,"id":"chatcmpl-qoJAKRVy11wab8YbPhqqLPB9nJRdfrTD","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"🌈"}}],"created":1795373710,"id":"chatcmpl-qoJAKRVy11wab8YbPhqqLPB9nJRdfrTD","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"🌈"}}],"created":1795373711,"id":"chatcmpl-qoJAKRVy11wab8YbPhqqLPB9nJRdfrTD","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1795373711,"id":"chatcmpl-qoJAKRVy11wab8YbPhqqLPB9nJRdfrTD","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk","timings":{"cache_n":0,"prompt_n":43,"prompt_ms":3582.901,"prompt_per_token_ms":83.32327906976744,"prompt_per_second":12.001447988655004,"predicted_n":12,"predicted_ms":2951.906,"predicted_per_token_ms":268.3550909090909,"predicted_per_second":3.726405922139797}}

data: [DONE]

)~~",
    R"~~({"choices":[{"finish_reason":"length","index":0,"message":{"role":"assistant","content":"Zoë 😀🌈🌈"}}],"created":1795373721,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion","usage":{"completion_tokens":12,"prompt_tokens":43,"total_tokens":55,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-qmEDZbjnEx5GApA2tavBmY99hpFRAt5P","timings":{"cache_n":0,"prompt_n":43,"prompt_ms":4771.131,"prompt_per_token_ms":110.95653488372093,"prompt_per_second":9.012538117272403,"predicted_n":12,"predicted_ms":4907.94,"predicted_per_token_ms":446.1763636363636,"predicted_per_second":2.2412661931482454}})~~"};

inline constexpr Pair logprobs{
    "logprobs",
    R"~~(data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795373723,"id":"chatcmpl-XDoTOmsSCK90ZPadxEmPtuSLoeP0Gnp4","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Z"},"logprobs":{"content":[{"id":74,"token":"Z","bytes":[90],"logprob":-1.7597577571868896,"top_logprobs":[{"id":74,"token":"Z","bytes":[90],"logprob":-1.7597577571868896},{"id":67,"token":"S","bytes":[83],"logprob":-2.4321115016937256}]}]}}],"created":1795373723,"id":"chatcmpl-XDoTOmsSCK90ZPadxEmPtuSLoeP0Gnp4","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"o"},"logprobs":{"content":[{"id":95,"token":"o","bytes":[111],"logprob":-0.5457438826560974,"top_logprobs":[{"id":95,"token":"o","bytes":[111],"logprob":-0.5457438826560974},{"id":85,"token":"e","bytes":[101],"logprob":-1.7248133420944214}]}]}}],"created":1795373723,"id":"chatcmpl-XDoTOmsSCK90ZPadxEmPtuSLoeP0Gnp4","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"ë"},"logprobs":{"content":[{"id":26547,"token":"ë","bytes":[195,171],"logprob":-0.008530359715223312,"top_logprobs":[{"id":26547,"token":"ë","bytes":[195,171],"logprob":-0.008530359715223312},{"id":2756,"token":"é","bytes":[195,169],"logprob":-6.103844165802002}]}]}}],"created":1795373723,"id":"chatcmpl-XDoTOmsSCK90ZPadxEmPtuSLoeP0Gnp4","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1795373723,"id":"chatcmpl-XDoTOmsSCK90ZPadxEmPtuSLoeP0Gnp4","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[],"created":1795373723,"id":"chatcmpl-XDoTOmsSCK90ZPadxEmPtuSLoeP0Gnp4","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk","usage":{"completion_tokens":3,"prompt_tokens":43,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":43,"prompt_ms":1838.636,"prompt_per_token_ms":42.75897674418604,"prompt_per_second":23.38690202954799,"predicted_n":3,"predicted_ms":67.4,"predicted_per_token_ms":33.7,"predicted_per_second":29.673590504451035}}

data: [DONE]

)~~",
    R"~~({"choices":[{"finish_reason":"length","index":0,"message":{"role":"assistant","content":"Zoë"},"logprobs":{"content":[{"id":74,"token":"Z","bytes":[90],"logprob":-1.7597577571868896,"top_logprobs":[{"id":74,"token":"Z","bytes":[90],"logprob":-1.7597577571868896},{"id":67,"token":"S","bytes":[83],"logprob":-2.4321115016937256}]},{"id":95,"token":"o","bytes":[111],"logprob":-0.5457438826560974,"top_logprobs":[{"id":95,"token":"o","bytes":[111],"logprob":-0.5457438826560974},{"id":85,"token":"e","bytes":[101],"logprob":-1.7248133420944214}]},{"id":26547,"token":"ë","bytes":[195,171],"logprob":-0.008530359715223312,"top_logprobs":[{"id":26547,"token":"ë","bytes":[195,171],"logprob":-0.008530359715223312},{"id":2756,"token":"é","bytes":[195,169],"logprob":-6.103844165802002}]}]}}],"created":1795373723,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion","usage":{"completion_tokens":3,"prompt_tokens":43,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-UgPgvNJz645LNIXUULAaggrkPzsYHsec","timings":{"cache_n":0,"prompt_n":43,"prompt_ms":471.943,"prompt_per_token_ms":10.975418604651162,"prompt_per_second":91.11269793174176,"predicted_n":3,"predicted_ms":83.906,"predicted_per_token_ms":41.953,"predicted_per_second":23.83619764975091}})~~"};

inline constexpr Pair two_choices{
    "two_choices",
    R"~~(data: {"choices":[{"finish_reason":null,"index":1,"delta":{"role":"assistant","content":null}}],"created":1795373745,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":1,"delta":{"content":"Z"}}],"created":1795373745,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795373745,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Sc"}}],"created":1795373745,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":1,"delta":{"content":"ee"}}],"created":1795373745,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"ary"}}],"created":1795373745,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":1,"delta":{"content":" to"}}],"created":1795373747,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":","}}],"created":1795373747,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":1,"delta":{"content":"e"}}],"created":1795373748,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"length","index":1,"delta":{}}],"created":1795373748,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[],"created":1795373748,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk","usage":{"completion_tokens":4,"prompt_tokens":43,"total_tokens":47,"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":43,"prompt_ms":1090.554,"prompt_per_token_ms":25.36172093023256,"prompt_per_second":39.429500969232144,"predicted_n":4,"predicted_ms":2720.532,"predicted_per_token_ms":906.844,"predicted_per_second":1.1027254963367459}}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" yet"}}],"created":1795373748,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1795373748,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[],"created":1795373748,"id":"chatcmpl-pgUkcCMg5hiBLK3X7afDNxKCi6OEdsZ8","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk","usage":{"completion_tokens":4,"prompt_tokens":43,"total_tokens":47,"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":43,"prompt_ms":1090.802,"prompt_per_token_ms":25.36748837209302,"prompt_per_second":39.42053644932811,"predicted_n":4,"predicted_ms":2720.564,"predicted_per_token_ms":906.8546666666666,"predicted_per_second":1.1027125257850945}}

data: [DONE]

)~~",
    R"~~({"choices":[{"finish_reason":"length","index":0,"message":{"role":"assistant","content":"Scary, yet"}},{"finish_reason":"length","index":1,"message":{"role":"assistant","content":"Zee toe"}}],"created":1795373750,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion","usage":{"completion_tokens":4,"prompt_tokens":43,"total_tokens":47,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-BlnMy6NxYkI4fpoTjRA8qEcgiMu8qEM1","timings":{"cache_n":0,"prompt_n":43,"prompt_ms":1415.298,"prompt_per_token_ms":32.91390697674419,"prompt_per_second":30.382294046907436,"predicted_n":4,"predicted_ms":645.049,"predicted_per_token_ms":215.01633333333334,"predicted_per_second":4.650809473388843}})~~"};

inline constexpr Pair stop_word{
    "stop_word",
    R"~~(data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795373900,"id":"chatcmpl-3e7pNbJS4LG8koFHnZ42kVkpNmpgrN3Z","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"I"}}],"created":1795373900,"id":"chatcmpl-3e7pNbJS4LG8koFHnZ42kVkpNmpgrN3Z","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"'m"}}],"created":1795373905,"id":"chatcmpl-3e7pNbJS4LG8koFHnZ42kVkpNmpgrN3Z","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" glad"}}],"created":1795373911,"id":"chatcmpl-3e7pNbJS4LG8koFHnZ42kVkpNmpgrN3Z","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" to"}}],"created":1795373913,"id":"chatcmpl-3e7pNbJS4LG8koFHnZ42kVkpNmpgrN3Z","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" help"}}],"created":1795373924,"id":"chatcmpl-3e7pNbJS4LG8koFHnZ42kVkpNmpgrN3Z","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"created":1795373934,"id":"chatcmpl-3e7pNbJS4LG8koFHnZ42kVkpNmpgrN3Z","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[],"created":1795373934,"id":"chatcmpl-3e7pNbJS4LG8koFHnZ42kVkpNmpgrN3Z","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk","usage":{"completion_tokens":6,"prompt_tokens":36,"total_tokens":42,"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":36,"prompt_ms":8592.844,"prompt_per_token_ms":238.6901111111111,"prompt_per_second":4.189532592468804,"predicted_n":6,"predicted_ms":34147.962,"predicted_per_token_ms":6829.5923999999995,"predicted_per_second":0.14642162246754287}}

data: [DONE]

)~~",
    R"~~({"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"I'm glad to help"}}],"created":1795373945,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion","usage":{"completion_tokens":6,"prompt_tokens":36,"total_tokens":42,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-pAd00zCUQiHzb4Pl9CLrVTYNbeAzsijP","timings":{"cache_n":0,"prompt_n":36,"prompt_ms":5613.702,"prompt_per_token_ms":155.93616666666668,"prompt_per_second":6.412880484215228,"predicted_n":6,"predicted_ms":5251.933,"predicted_per_token_ms":1050.3866,"predicted_per_second":0.9520304238458488}})~~"};

inline constexpr Pair tool_call{
    "tool_call",
    R"~~(data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795374593,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"id":"Hr3fDW9CdsEqQD6a5mTDuTZZ3HqQgc0V","type":"function","function":{"name":"read","arguments":"{"}}]}}],"created":1795374615,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\""}}]}}],"created":1795374642,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"path"}}]}}],"created":1795374649,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\":"}}]}}],"created":1795374651,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":" \""}}]}}],"created":1795374653,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"c"}}]}}],"created":1795374655,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"."}}]}}],"created":1795374660,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"txt"}}]}}],"created":1795374668,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\""}}]}}],"created":1795374671,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}],"created":1795374680,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"tool_calls","index":0,"delta":{}}],"created":1795374716,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[],"created":1795374716,"id":"chatcmpl-YBMJoIqy7cEZDcrXqMD3syIHhOsWpF9v","model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion.chunk","usage":{"completion_tokens":31,"prompt_tokens":291,"total_tokens":322,"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":291,"prompt_ms":28591.927,"prompt_per_token_ms":98.25404467353951,"prompt_per_second":10.177698061414329,"predicted_n":31,"predicted_ms":123579.802,"predicted_per_token_ms":4119.326733333333,"predicted_per_second":0.24275811673496614}}

data: [DONE]

)~~",
    R"~~({"choices":[{"finish_reason":"tool_calls","index":0,"message":{"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"read","arguments":"{\"path\": \"c.txt\"}"},"id":"MtbaCwvdXTCkzPHfAFgpef2klVWvWIT9"}]}}],"created":1795374831,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"chat.completion","usage":{"completion_tokens":31,"prompt_tokens":291,"total_tokens":322,"prompt_tokens_details":{"cached_tokens":290}},"id":"chatcmpl-LDfy3vavrdL598SewML8wBdD0Kzzp32g","timings":{"cache_n":290,"prompt_n":1,"prompt_ms":5695.337,"prompt_per_token_ms":5695.337,"prompt_per_second":0.17558223508108475,"predicted_n":31,"predicted_ms":109498.541,"predicted_per_token_ms":3649.9513666666667,"predicted_per_second":0.27397625325436986}})~~"};

inline constexpr Pair completions{
    "completions",
    R"~~(data: {"choices":[{"text":"\n   ","index":0,"logprobs":null,"finish_reason":null}],"created":1795373750,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","id":"chatcmpl-ZZc3BZQXnLoCqlIfnBYoEvpcwefycCo2"}

data: {"choices":[{"text":" return","index":0,"logprobs":null,"finish_reason":null}],"created":1795373750,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","id":"chatcmpl-ZZc3BZQXnLoCqlIfnBYoEvpcwefycCo2"}

data: {"choices":[{"text":" a","index":0,"logprobs":null,"finish_reason":null}],"created":1795373751,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","id":"chatcmpl-ZZc3BZQXnLoCqlIfnBYoEvpcwefycCo2"}

data: {"choices":[{"text":" +","index":0,"logprobs":null,"finish_reason":null}],"created":1795373751,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","id":"chatcmpl-ZZc3BZQXnLoCqlIfnBYoEvpcwefycCo2"}

data: {"choices":[{"text":" b","index":0,"logprobs":null,"finish_reason":null}],"created":1795373751,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","id":"chatcmpl-ZZc3BZQXnLoCqlIfnBYoEvpcwefycCo2"}

data: {"choices":[{"text":"\n","index":0,"logprobs":null,"finish_reason":null}],"created":1795373752,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","id":"chatcmpl-ZZc3BZQXnLoCqlIfnBYoEvpcwefycCo2"}

data: {"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"length"}],"created":1795373752,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","usage":{"completion_tokens":6,"prompt_tokens":7,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-ZZc3BZQXnLoCqlIfnBYoEvpcwefycCo2","timings":{"cache_n":0,"prompt_n":7,"prompt_ms":601.074,"prompt_per_token_ms":85.86771428571429,"prompt_per_second":11.645820647707271,"predicted_n":6,"predicted_ms":1555.972,"predicted_per_token_ms":311.1944,"predicted_per_second":3.2134254343908504}}

data: [DONE]

)~~",
    R"~~({"choices":[{"text":"\n    return a + b\n","index":0,"logprobs":null,"finish_reason":"length"}],"created":1795373754,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","usage":{"completion_tokens":6,"prompt_tokens":7,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-5GPWCMmOadILSkg5LLroL6R5dW7rObOO","timings":{"cache_n":0,"prompt_n":7,"prompt_ms":746.851,"prompt_per_token_ms":106.693,"prompt_per_second":9.37268611811459,"predicted_n":6,"predicted_ms":1047.493,"predicted_per_token_ms":209.49859999999998,"predicted_per_second":4.773301587695574}})~~"};

inline constexpr Pair completions_logprobs{
    "completions_logprobs",
    R"~~(data: {"choices":[{"text":"\n   ","index":0,"logprobs":{"content":[{"id":472,"token":"\n   ","bytes":[10,32,32,32],"logprob":-0.7019286751747131,"top_logprobs":[{"id":472,"token":"\n   ","bytes":[10,32,32,32],"logprob":-0.7019286751747131}]}]},"finish_reason":null}],"created":1795373754,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","id":"chatcmpl-TraSzgBts5l3rznAkhvbUXwFFNnyV1Xh"}

data: {"choices":[{"text":" return","index":0,"logprobs":{"content":[{"id":1003,"token":" return","bytes":[32,114,101,116,117,114,110],"logprob":-1.5736124515533447,"top_logprobs":[{"id":1003,"token":" return","bytes":[32,114,101,116,117,114,110],"logprob":-1.5736124515533447}]}]},"finish_reason":null}],"created":1795373755,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","id":"chatcmpl-TraSzgBts5l3rznAkhvbUXwFFNnyV1Xh"}

data: {"choices":[{"text":" a","index":0,"logprobs":{"content":[{"id":253,"token":" a","bytes":[32,97],"logprob":-0.11863962560892105,"top_logprobs":[{"id":253,"token":" a","bytes":[32,97],"logprob":-0.11863962560892105}]}]},"finish_reason":null}],"created":1795373755,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","id":"chatcmpl-TraSzgBts5l3rznAkhvbUXwFFNnyV1Xh"}

data: {"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"length"}],"created":1795373755,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","usage":{"completion_tokens":3,"prompt_tokens":7,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-TraSzgBts5l3rznAkhvbUXwFFNnyV1Xh","timings":{"cache_n":0,"prompt_n":7,"prompt_ms":775.208,"prompt_per_token_ms":110.744,"prompt_per_second":9.029834573430614,"predicted_n":3,"predicted_ms":424.039,"predicted_per_token_ms":212.0195,"predicted_per_second":4.716547298715448}}

data: [DONE]

)~~",
    R"~~({"choices":[{"text":"\n    return a","index":0,"logprobs":{"content":[{"id":472,"token":"\n   ","bytes":[10,32,32,32],"logprob":-0.7019286751747131,"top_logprobs":[{"id":472,"token":"\n   ","bytes":[10,32,32,32],"logprob":-0.7019286751747131}]},{"id":1003,"token":" return","bytes":[32,114,101,116,117,114,110],"logprob":-1.5736124515533447,"top_logprobs":[{"id":1003,"token":" return","bytes":[32,114,101,116,117,114,110],"logprob":-1.5736124515533447}]},{"id":253,"token":" a","bytes":[32,97],"logprob":-0.11863962560892105,"top_logprobs":[{"id":253,"token":" a","bytes":[32,97],"logprob":-0.11863962560892105}]}]},"finish_reason":"length"}],"created":1795373755,"model":"smollm2","system_fingerprint":"b0-de3ff81","object":"text_completion","usage":{"completion_tokens":3,"prompt_tokens":7,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-VB1CdeYT3Hyb1HhleCfbjk0WGxdyqRQj","timings":{"cache_n":0,"prompt_n":7,"prompt_ms":161.716,"prompt_per_token_ms":23.102285714285717,"prompt_per_second":43.285760221623086,"predicted_n":3,"predicted_ms":255.889,"predicted_per_token_ms":127.9445,"predicted_per_second":7.81588892058666}})~~"};

inline constexpr Pair native{
    "native",
    R"~~(data: {"index":0,"content":"","tokens":[0],"stop":false,"id_slot":-1,"tokens_predicted":0,"tokens_evaluated":7,"prompt_progress":{"total":7,"cache":0,"processed":0,"time_ms":0}}

data: {"index":0,"content":"","tokens":[0],"stop":false,"id_slot":-1,"tokens_predicted":0,"tokens_evaluated":7,"prompt_progress":{"total":7,"cache":0,"processed":7,"time_ms":150}}

data: {"index":0,"content":"\n   ","tokens":[472],"stop":false,"id_slot":-1,"tokens_predicted":1,"tokens_evaluated":7}

data: {"index":0,"content":" return","tokens":[1003],"stop":false,"id_slot":-1,"tokens_predicted":2,"tokens_evaluated":7}

data: {"index":0,"content":" a","tokens":[253],"stop":false,"id_slot":-1,"tokens_predicted":3,"tokens_evaluated":7}

data: {"index":0,"content":" +","tokens":[1232],"stop":false,"id_slot":-1,"tokens_predicted":4,"tokens_evaluated":7}

data: {"index":0,"content":" b","tokens":[278],"stop":false,"id_slot":-1,"tokens_predicted":5,"tokens_evaluated":7}

data: {"index":0,"content":"","tokens":[],"id_slot":0,"stop":true,"model":"smollm2","tokens_predicted":5,"tokens_evaluated":7,"generation_settings":{"seed":1,"temperature":0.0,"dynatemp_range":0.0,"dynatemp_exponent":1.0,"top_k":40,"top_p":0.949999988079071,"min_p":0.05000000074505806,"top_n_sigma":-1.0,"xtc_probability":0.0,"xtc_threshold":0.10000000149011612,"typical_p":1.0,"repeat_last_n":64,"repeat_penalty":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"dry_multiplier":0.0,"dry_base":1.75,"dry_allowed_length":2,"dry_penalty_last_n":64,"dry_sequence_breakers":["\n",":","\"","*"],"mirostat":0,"mirostat_tau":5.0,"mirostat_eta":0.10000000149011612,"adaptive_target":-1.0,"adaptive_decay":0.8999999761581421,"stop":[],"max_tokens":5,"n_predict":5,"n_keep":0,"n_discard":0,"ignore_eos":false,"stream":true,"logit_bias":[],"n_probs":0,"min_keep":0,"grammar":"","grammar_lazy":false,"grammar_triggers":[],"preserved_tokens":[],"chat_format":"Content-only","reasoning_format":"deepseek","reasoning_in_content":false,"generation_prompt":"","samplers":["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p","xtc","temperature"],"speculative.types":"none","timings_per_token":false,"post_sampling_probs":false,"backend_sampling":false,"lora":[]},"prompt":"def add(a, b):","has_new_line":true,"truncated":false,"stop_type":"limit","stopping_word":"","tokens_cached":11,"timings":{"cache_n":0,"prompt_n":7,"prompt_ms":150.838,"prompt_per_token_ms":21.548285714285715,"prompt_per_second":46.40740396982193,"predicted_n":5,"predicted_ms":664.014,"predicted_per_token_ms":166.0035,"predicted_per_second":6.023969374139702}}

)~~",
    R"~~({"index":0,"content":"\n    return a + b","tokens":[472,1003,253,1232,278],"id_slot":0,"stop":true,"model":"smollm2","tokens_predicted":5,"tokens_evaluated":7,"generation_settings":{"seed":1,"temperature":0.0,"dynatemp_range":0.0,"dynatemp_exponent":1.0,"top_k":40,"top_p":0.949999988079071,"min_p":0.05000000074505806,"top_n_sigma":-1.0,"xtc_probability":0.0,"xtc_threshold":0.10000000149011612,"typical_p":1.0,"repeat_last_n":64,"repeat_penalty":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"dry_multiplier":0.0,"dry_base":1.75,"dry_allowed_length":2,"dry_penalty_last_n":64,"dry_sequence_breakers":["\n",":","\"","*"],"mirostat":0,"mirostat_tau":5.0,"mirostat_eta":0.10000000149011612,"adaptive_target":-1.0,"adaptive_decay":0.8999999761581421,"stop":[],"max_tokens":5,"n_predict":5,"n_keep":0,"n_discard":0,"ignore_eos":false,"stream":false,"logit_bias":[],"n_probs":0,"min_keep":0,"grammar":"","grammar_lazy":false,"grammar_triggers":[],"preserved_tokens":[],"chat_format":"Content-only","reasoning_format":"deepseek","reasoning_in_content":false,"generation_prompt":"","samplers":["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p","xtc","temperature"],"speculative.types":"none","timings_per_token":false,"post_sampling_probs":false,"backend_sampling":false,"lora":[]},"prompt":"def add(a, b):","has_new_line":true,"truncated":false,"stop_type":"limit","stopping_word":"","tokens_cached":11,"timings":{"cache_n":0,"prompt_n":7,"prompt_ms":411.584,"prompt_per_token_ms":58.797714285714285,"prompt_per_second":17.007463846991136,"predicted_n":5,"predicted_ms":1196.106,"predicted_per_token_ms":299.0265,"predicted_per_second":3.344185214353912}})~~"};

inline constexpr Pair native_probs{
    "native_probs",
    R"~~(data: {"index":0,"content":"\n   ","tokens":[472],"stop":false,"id_slot":-1,"tokens_predicted":1,"tokens_evaluated":7,"completion_probabilities":[{"id":472,"token":"\n   ","bytes":[10,32,32,32],"logprob":-0.7019286751747131,"top_logprobs":[{"id":472,"token":"\n   ","bytes":[10,32,32,32],"logprob":-0.7019286751747131}]}]}

data: {"index":0,"content":" return","tokens":[1003],"stop":false,"id_slot":-1,"tokens_predicted":2,"tokens_evaluated":7,"completion_probabilities":[{"id":1003,"token":" return","bytes":[32,114,101,116,117,114,110],"logprob":-1.5736124515533447,"top_logprobs":[{"id":1003,"token":" return","bytes":[32,114,101,116,117,114,110],"logprob":-1.5736124515533447}]}]}

data: {"index":0,"content":" a","tokens":[253],"stop":false,"id_slot":-1,"tokens_predicted":3,"tokens_evaluated":7,"completion_probabilities":[{"id":253,"token":" a","bytes":[32,97],"logprob":-0.11863962560892105,"top_logprobs":[{"id":253,"token":" a","bytes":[32,97],"logprob":-0.11863962560892105}]}]}

data: {"index":0,"content":"","tokens":[],"id_slot":0,"stop":true,"model":"smollm2","tokens_predicted":3,"tokens_evaluated":7,"generation_settings":{"seed":1,"temperature":0.0,"dynatemp_range":0.0,"dynatemp_exponent":1.0,"top_k":40,"top_p":0.949999988079071,"min_p":0.05000000074505806,"top_n_sigma":-1.0,"xtc_probability":0.0,"xtc_threshold":0.10000000149011612,"typical_p":1.0,"repeat_last_n":64,"repeat_penalty":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"dry_multiplier":0.0,"dry_base":1.75,"dry_allowed_length":2,"dry_penalty_last_n":64,"dry_sequence_breakers":["\n",":","\"","*"],"mirostat":0,"mirostat_tau":5.0,"mirostat_eta":0.10000000149011612,"adaptive_target":-1.0,"adaptive_decay":0.8999999761581421,"stop":[],"max_tokens":3,"n_predict":3,"n_keep":0,"n_discard":0,"ignore_eos":false,"stream":true,"logit_bias":[],"n_probs":1,"min_keep":0,"grammar":"","grammar_lazy":false,"grammar_triggers":[],"preserved_tokens":[],"chat_format":"Content-only","reasoning_format":"deepseek","reasoning_in_content":false,"generation_prompt":"","samplers":["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p","xtc","temperature"],"speculative.types":"none","timings_per_token":false,"post_sampling_probs":false,"backend_sampling":false,"lora":[]},"prompt":"def add(a, b):","has_new_line":true,"truncated":false,"stop_type":"limit","stopping_word":"","tokens_cached":9,"timings":{"cache_n":0,"prompt_n":7,"prompt_ms":180.606,"prompt_per_token_ms":25.800857142857144,"prompt_per_second":38.758402267920225,"predicted_n":3,"predicted_ms":447.798,"predicted_per_token_ms":223.899,"predicted_per_second":4.466299536844738}}

)~~",
    R"~~({"index":0,"content":"\n    return a","tokens":[],"id_slot":0,"stop":true,"model":"smollm2","tokens_predicted":3,"tokens_evaluated":7,"generation_settings":{"seed":1,"temperature":0.0,"dynatemp_range":0.0,"dynatemp_exponent":1.0,"top_k":40,"top_p":0.949999988079071,"min_p":0.05000000074505806,"top_n_sigma":-1.0,"xtc_probability":0.0,"xtc_threshold":0.10000000149011612,"typical_p":1.0,"repeat_last_n":64,"repeat_penalty":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"dry_multiplier":0.0,"dry_base":1.75,"dry_allowed_length":2,"dry_penalty_last_n":64,"dry_sequence_breakers":["\n",":","\"","*"],"mirostat":0,"mirostat_tau":5.0,"mirostat_eta":0.10000000149011612,"adaptive_target":-1.0,"adaptive_decay":0.8999999761581421,"stop":[],"max_tokens":3,"n_predict":3,"n_keep":0,"n_discard":0,"ignore_eos":false,"stream":false,"logit_bias":[],"n_probs":1,"min_keep":0,"grammar":"","grammar_lazy":false,"grammar_triggers":[],"preserved_tokens":[],"chat_format":"Content-only","reasoning_format":"deepseek","reasoning_in_content":false,"generation_prompt":"","samplers":["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p","xtc","temperature"],"speculative.types":"none","timings_per_token":false,"post_sampling_probs":false,"backend_sampling":false,"lora":[]},"prompt":"def add(a, b):","has_new_line":true,"truncated":false,"stop_type":"limit","stopping_word":"","tokens_cached":9,"timings":{"cache_n":0,"prompt_n":7,"prompt_ms":224.603,"prompt_per_token_ms":32.08614285714286,"prompt_per_second":31.166101966581035,"predicted_n":3,"predicted_ms":270.959,"predicted_per_token_ms":135.4795,"predicted_per_second":7.3811905122177155},"completion_probabilities":[{"id":472,"token":"\n   ","bytes":[10,32,32,32],"logprob":-0.7019286751747131,"top_logprobs":[{"id":472,"token":"\n   ","bytes":[10,32,32,32],"logprob":-0.7019286751747131}]},{"id":1003,"token":" return","bytes":[32,114,101,116,117,114,110],"logprob":-1.5736124515533447,"top_logprobs":[{"id":1003,"token":" return","bytes":[32,114,101,116,117,114,110],"logprob":-1.5736124515533447}]},{"id":253,"token":" a","bytes":[32,97],"logprob":-0.11863962560892105,"top_logprobs":[{"id":253,"token":" a","bytes":[32,97],"logprob":-0.11863962560892105}]}]})~~"};

inline constexpr Pair messages{
    "messages",
    R"~~(:

event: message_start
data: {"type":"message_start","message":{"id":"chatcmpl-2V3h2rIQ8boznSGvI5raD4yviFeYosmB","type":"message","role":"assistant","content":[],"model":"smollm2","stop_reason":null,"stop_sequence":null,"usage":{"cache_read_input_tokens":0,"input_tokens":291,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"pDZPM2NkoyFe6ZFNTYGshOR82xf99o46","name":"read"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"path"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":" \""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"c"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"txt"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":31}}

event: message_stop
data: {"type":"message_stop"}

)~~",
    R"~~({"id":"chatcmpl-w10kiGbsaOXbIPKdVJVdFRACKEfQGIYI","type":"message","role":"assistant","content":[{"type":"tool_use","id":"VtOCOMkAgWwCY7tafGQwq0okkbHTheY9","name":"read","input":{"path":"c.txt"}}],"model":"smollm2","stop_reason":"tool_use","stop_sequence":null,"usage":{"cache_read_input_tokens":290,"input_tokens":1,"output_tokens":31}})~~"};

inline constexpr Pair responses{
    "responses",
    R"~~(event: response.created
data: {"type":"response.created","response":{"id":"resp_miEy76QHuiVn4PcCZGxcEApdIhhPUYx4","object":"response","status":"in_progress"}}

event: response.in_progress
data: {"type":"response.in_progress","response":{"id":"resp_miEy76QHuiVn4PcCZGxcEApdIhhPUYx4","object":"response","status":"in_progress"}}

event: response.output_item.added
data: {"type":"response.output_item.added","item":{"id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr","arguments":"","call_id":"call_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr","name":"read","type":"function_call","status":"in_progress"}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":"{","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":"\"","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":"path","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":"\":","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":" \"","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":"c","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":".","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":"txt","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":"\"","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":"}","item_id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr"}

event: response.output_item.done
data: {"type":"response.output_item.done","item":{"id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr","type":"function_call","status":"completed","arguments":"{\"path\": \"c.txt\"}","call_id":"call_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr","name":"read"}}

event: response.completed
data: {"type":"response.completed","response":{"id":"resp_miEy76QHuiVn4PcCZGxcEApdIhhPUYx4","object":"response","created_at":1795375820,"status":"completed","model":"smollm2","output":[{"id":"fc_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr","type":"function_call","status":"completed","arguments":"{\"path\": \"c.txt\"}","call_id":"call_Uh5Xy47ysVuUMNwxzEyhplb1cMufsGNr","name":"read"}],"usage":{"input_tokens":291,"output_tokens":31,"total_tokens":322,"input_tokens_details":{"cached_tokens":290}}},"timings":{"cache_n":290,"prompt_n":1,"prompt_ms":14768.187,"prompt_per_token_ms":14768.187,"prompt_per_second":0.06771311874639724,"predicted_n":31,"predicted_ms":356600.018,"predicted_per_token_ms":11886.667266666665,"predicted_per_second":0.08412787012254161}}

)~~",
    R"~~({"completed_at":1795376168,"created_at":1795376168,"id":"resp_2qz51YZEy3sH7x2GoGC0fVfc8aLqwOFi","model":"smollm2","object":"response","output":[{"id":"fc_AkjAHCu3C6ksm9PQUjnDxxGbXeKaooiG","type":"function_call","status":"completed","arguments":"{\"path\": \"c.txt\"}","call_id":"call_AkjAHCu3C6ksm9PQUjnDxxGbXeKaooiG","name":"read"}],"status":"completed","usage":{"input_tokens":291,"output_tokens":31,"total_tokens":322,"input_tokens_details":{"cached_tokens":290}}})~~"};

}  // namespace lc::api::recorded
