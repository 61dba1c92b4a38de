/*
 * The kernel without libc: raw system calls that never touch errno, never
 * allocate and are no cancellation points.  Runs in the host, anywhere.
 *
 * All return what the kernel returns: a negative errno on failure.
 */
#ifndef AGENT_SYS_H
#define AGENT_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

long sys_open(const char *path, int flags, int mode);
long sys_read(int fd, void *buffer, size_t size);
long sys_read_at(int fd, void *buffer, size_t size, size_t offset);
struct stat;
bool sys_status(const char *path, struct stat *status); /* false if it is not there */
bool sys_may(const char *path, int how);                /* R_OK, X_OK */
bool sys_is_forbidden(const char *path); /* this user may not look there at all */
int sys_effective_user(void);
long sys_write(int fd, const void *bytes, size_t size);
long sys_readlink(const char *path, char *buffer, size_t size);
long sys_current_directory(char *buffer, size_t size); /* bytes with the NUL */
long sys_close(int fd);
long sys_exec_at(int directory, const char *path, char *const argv[], char *const variables[], int flags);
bool sys_has_few_addresses(void); /* there is a limit on them (RLIMIT_AS) */
long sys_allocate_file(int fd, size_t size);
uint64_t sys_free_space(int fd); /* bytes of its file system that we may have */
bool sys_file_is_ours(int fd, size_t size); /* regular, this user's, and has so many bytes */
void *sys_map(void *address, size_t size, int flags, int fd, size_t offset); /* NULL on failure */
void *sys_map_private(size_t size); /* zeroed */
void *sys_reserve(size_t size);     /* addresses only */
void *sys_grow_private(void *memory, size_t old_size, size_t new_size);     /* may move */
bool sys_map_again(void *address, void *shared, size_t size);  /* there too, in place of what is */
void sys_unmap(void *memory, size_t size);
bool sys_protect(void *memory, size_t size, int protection); /* whole pages */
bool sys_wipe_on_fork(void *memory, size_t size);
bool sys_is_readable(uintptr_t page);    /* the memory that begins there */
uint64_t sys_clock_ms(void); /* monotonic */
bool sys_random(void *out, size_t size); /* never waits; false if there are none */
int sys_pid(void);
uint64_t sys_block_signals(void); /* in the calling thread; returns what was blocked before */
void sys_restore_signals(uint64_t blocked);
int sys_parent_pid(void);
int sys_tid(void);
void sys_thread_name(char name[16]); /* of the calling thread */
void sys_wait(_Atomic uint32_t *word, uint32_t value, unsigned timeout_ms);
bool sys_process_lives(int pid); /* false for a zombie too */

/* Writes "memtrace: " and the parts (ended by NULL) to stderr, as one line. */
void sys_complain(const char *part, ...);

/* Writes value in decimal and a NUL; returns the length. */
size_t sys_decimal(char *out, uint64_t value);

#endif
