/* Loaded into the gateway and its engines (LD_PRELOAD) by tests: makes file operations below LOCALCODE_TEST_FAULT_DIR fail, or
 * ends the process in the middle of them. What happens is read from the file LOCALCODE_TEST_FAULTS at each operation, one line:
 *   NUMBER full|readonly|kill gateway|engine|both N
 * kill: at the Nth operation since NUMBER changed. The file LOCALCODE_TEST_CLOCK: seconds that the clock is off.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int read_line(const char* variable, char* out, size_t size) {
    const char* path = getenv(variable);
    if (!path) return 0;
    const long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    const long n = syscall(SYS_read, fd, out, size - 1);
    syscall(SYS_close, fd);
    out[n > 0 ? n : 0] = 0;
    return n > 0;
}

static int below(const char* path) {
    const char* dir = getenv("LOCALCODE_TEST_FAULT_DIR");
    return dir && path && strncmp(path, dir, strlen(dir)) == 0;
}

static int fd_below(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const long n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return below(path);
}

/* 0: go on; else the errno to fail with */
static int step(int makes_longer) {
    static atomic_long seen, count;
    char line[128], action[16] = "", role[16] = "";
    long number = 0, at = 0;
    if (!read_line("LOCALCODE_TEST_FAULTS", line, sizeof line) ||
        sscanf(line, "%ld %15s %15s %ld", &number, action, role, &at) < 3) {
        return 0;
    }
    const int is_engine = strstr(program_invocation_short_name, "engine") != NULL;
    if (strcmp(role, "both") != 0 && (strcmp(role, "engine") == 0) != is_engine) return 0;
    if (strcmp(action, "full") == 0) return makes_longer ? ENOSPC : 0;
    if (strcmp(action, "readonly") == 0) return EROFS;
    if (strcmp(action, "kill") == 0) {
        if (atomic_exchange(&seen, number) != number) atomic_store(&count, 0);
        if (atomic_fetch_add(&count, 1) + 1 >= at) kill(getpid(), SIGKILL);
    }
    return 0;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define GUARD(condition, makes_longer) \
    if (condition) { const int code = step(makes_longer); if (code) { errno = code; return -1; } }

int open(const char* path, int flags, ...) {
    REAL(open);
    va_list more;
    va_start(more, flags);
    const mode_t mode = va_arg(more, mode_t);
    va_end(more);
    GUARD((flags & (O_CREAT | O_WRONLY | O_RDWR)) && below(path), flags & O_CREAT && access(path, F_OK) != 0)
    return real(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    REAL(open64);
    va_list more;
    va_start(more, flags);
    const mode_t mode = va_arg(more, mode_t);
    va_end(more);
    GUARD((flags & (O_CREAT | O_WRONLY | O_RDWR)) && below(path), flags & O_CREAT && access(path, F_OK) != 0)
    return real(path, flags, mode);
}
ssize_t write(int fd, const void* data, size_t size) { REAL(write); GUARD(fd_below(fd), 1) return real(fd, data, size); }
ssize_t writev(int fd, const struct iovec* v, int n) { REAL(writev); GUARD(fd_below(fd), 1) return real(fd, v, n); }
ssize_t pwrite(int fd, const void* d, size_t n, off_t at) { REAL(pwrite); GUARD(fd_below(fd), 1) return real(fd, d, n, at); }
ssize_t pwrite64(int fd, const void* d, size_t n, off64_t at) { REAL(pwrite64); GUARD(fd_below(fd), 1) return real(fd, d, n, at); }
int fsync(int fd) { REAL(fsync); GUARD(fd_below(fd), 0) return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); GUARD(fd_below(fd), 0) return real(fd); }
int rename(const char* from, const char* to) { REAL(rename); GUARD(below(to), 0) return real(from, to); }
int unlink(const char* path) { REAL(unlink); GUARD(below(path), 0) return real(path); }

int clock_gettime(clockid_t id, struct timespec* out) {
    char line[64];
    const int result = (int)syscall(SYS_clock_gettime, id, out);
    if (result == 0 && id == CLOCK_REALTIME && read_line("LOCALCODE_TEST_CLOCK", line, sizeof line)) out->tv_sec += atol(line);
    return result;
}
