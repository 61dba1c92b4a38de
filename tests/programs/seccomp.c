/* Runs a program as a container's default filter would: what newer kernels have and old filters do
 * not know is not permitted.  seccomp errno program [argument...] */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE(number, error)                                                                      \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

int main(int argc, char **argv)
{
    unsigned error = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(434 /* pidfd_open */, error),
        REFUSE(424 /* pidfd_send_signal */, error),
        REFUSE(438 /* pidfd_getfd */, error),
        REFUSE(SYS_userfaultfd, error),
        REFUSE(SYS_ptrace, error),
        REFUSE(SYS_process_vm_readv, error),
        REFUSE(SYS_perf_event_open, error),
        REFUSE(SYS_kcmp, error),
        REFUSE(435 /* clone3 */, ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
    if (!error || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("seccomp");
        return 99;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 98;
}
