#include <exception>
#include <iostream>

#include "app/commands/cli.hpp"

int main(int argc, char** argv) {
    try {
        return lc::commands::run(argc, argv);
    } catch (const std::exception& error) {
        // Nothing of ours throws for what can be expected; this is a fault, said in one line instead of an abort.
        std::cerr << "localcode: internal error: " << error.what() << '\n';
        return 1;
    }
}
