/* jail.c -- seccomp and Landlock, by their plain system calls. */
#include "vault/jail.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
enum { ARCH = (int)AUDIT_ARCH_X86_64 };
#elif defined __aarch64__
enum { ARCH = (int)AUDIT_ARCH_AARCH64 };
#else
#error "jail.c: which system calls this machine has must be written down first"
#endif

enum eim_err jail_private(struct err *e)
{
    struct rlimit none = { 0, 0 };
    if (setrlimit(RLIMIT_CORE, &none) != 0) return fail(e, E_IO, NULL, "core files cannot be switched off: %s", strerror(errno));
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail(e, E_IO, NULL, "PR_SET_DUMPABLE: %s", strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(e, E_IO, NULL, "no_new_privs: %s", strerror(errno));
    return OK;
}

/* Everything that this kernel's Landlock knows is taken away and nothing is allowed: a rule set without rules. */
static enum eim_err landlock(int *version, struct err *e)
{
    struct { uint64_t fs, net, scoped; } all = { 0 };
    long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    *version = v > 0 ? (int)v : 0;
    if (v <= 0) return OK;
    all.fs = v >= 5 ? 0xffff : v >= 3 ? 0x7fff : v >= 2 ? 0x3fff : 0x1fff;
    all.net = v >= 4 ? 3 : 0;          /* bind and connect of TCP */
    all.scoped = v >= 6 ? 3 : 0;       /* abstract sockets, signals */
    size_t size = v >= 6 ? sizeof all : v >= 4 ? 2 * sizeof all.fs : sizeof all.fs;
    int fd = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
    if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) != 0) return fail(e, E_IO, NULL, "Landlock: %s", strerror(errno));
    close(fd);
    return OK;
}

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, member))
#define ALLOW(call)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static enum eim_err seccomp(struct err *e)
{
    const struct sock_filter rules[] = {
        LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ARCH, 1, 0), KILL,
        LOAD(nr),
        ALLOW(read), ALLOW(write), ALLOW(fdatasync), ALLOW(close), ALLOW(futex), ALLOW(clock_gettime), ALLOW(gettimeofday), ALLOW(getrandom),
        ALLOW(munmap), ALLOW(mremap), ALLOW(madvise), ALLOW(brk), ALLOW(sched_yield), ALLOW(getpid), ALLOW(gettid), ALLOW(sigaltstack),
        ALLOW(rt_sigreturn), ALLOW(rt_sigprocmask), ALLOW(restart_syscall), ALLOW(exit), ALLOW(exit_group),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0), KILL,
        LOAD(args[2]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), KILL,          /* memory, but never code */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_filter copy[sizeof rules / sizeof rules[0]];
    memcpy(copy, rules, sizeof rules);
    struct sock_fprog program = { .len = sizeof rules / sizeof rules[0], .filter = copy };
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) return fail(e, E_IO, NULL, "seccomp: %s", strerror(errno));
    return OK;
}

enum eim_err jail_close(struct jail_report *r, struct err *e)
{
    TRY(landlock(&r->landlock, e));
    return seccomp(e);
}
