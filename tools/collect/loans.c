/*
 * Lending rings (loans.h).  In the collector: it asks once a round whether somebody wants one, and
 * has no memory for what nobody wants.
 */
#include "collect/loans.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHARE 256u /* as a ring that an agent makes: of the room that is left */

static uint64_t room(int fd)
{
    struct statvfs status;
    bool known = fstatvfs(fd, &status) == 0 && status.f_blocks;
    return known ? (uint64_t)status.f_bavail * status.f_frsize : UINT64_MAX;
}

/* What a loan was before is gone: its pages are, and where they cannot be, its head is. */
static bool has_pages(int fd, uint64_t at, uint64_t bytes)
{
    static const char empty[MT_RING_HEADER];
    return fallocate(fd, 0, (off_t)at, (off_t)(MT_RING_HEADER + bytes)) == 0 &&
           pwrite(fd, empty, sizeof(empty), (off_t)at) == (ssize_t)sizeof(empty);
}

static void release(int fd, uint32_t index)
{
    int rest = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)mt_loan_at(index),
        MT_RING_HEADER + MT_LOAN_BYTES);
    (void)rest; /* a file system that cannot: they serve the next one */
}

/* Bytes of data, 0 if there is no room. */
static uint64_t give_pages(int fd, uint32_t index)
{
    uint64_t bytes = MT_LOAN_BYTES, share = room(fd) / SHARE;
    while (bytes > share && bytes > MT_RING_LEAST) {
        bytes /= 2;
    }
    while (bytes >= MT_RING_LEAST && !has_pages(fd, mt_loan_at(index), bytes)) {
        bytes /= 2;
    }
    return bytes >= MT_RING_LEAST ? bytes : 0;
}

static void wake(struct mt_loan *loan)
{
    syscall(SYS_futex, &loan->word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static void answer(const struct shared *shared, int fd, uint32_t index, uint64_t asked)
{
    struct mt_loan *loan = &shared->control->loans[index];
    uint64_t bytes = fd < 0 ? 0 : give_pages(fd, index);
    enum mt_loan_state state = bytes ? MT_LOAN_LENT : MT_LOAN_REFUSED;
    loan->bytes = bytes;
    if (atomic_compare_exchange_strong(
            &loan->word, &asked, mt_loan_word(state, mt_slot_pid(asked), mt_slot_number(asked)))) {
        wake(loan);
    } else if (bytes) {
        release(fd, index); /* it has waited too long */
    }
}

/* Whoever borrowed it could not map it. */
static bool is_void(const struct shared *shared, uint32_t number)
{
    uint64_t word = atomic_load(&mt_slot_of(shared->control, number)->word);
    return mt_slot_number(word) != number || mt_slot_state(word) == MT_SLOT_VOID;
}

void loans_serve(struct shared *shared)
{
    uint32_t asked = atomic_load_explicit(&shared->control->loans_asked, memory_order_acquire);
    if (asked == shared->loans_seen) {
        return;
    }
    shared->loans_seen = asked;
    int fd = shared_open_control(shared);
    for (uint32_t i = 0; i < MT_LOANS; i++) {
        uint64_t word = atomic_load(&shared->control->loans[i].word);
        if (mt_loan_state(word) == MT_LOAN_ASKED) {
            answer(shared, fd, i, word);
        } else if (mt_loan_state(word) == MT_LOAN_LENT && is_void(shared, mt_slot_number(word))) {
            loans_take_back(shared, mt_slot_number(word));
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* MT_LOANS if there is none. */
static uint32_t find(const struct shared *shared, uint32_t number)
{
    uint32_t index = 0;
    for (; index < MT_LOANS; index++) {
        uint64_t word = atomic_load(&shared->control->loans[index].word);
        if (mt_loan_state(word) == MT_LOAN_LENT && mt_slot_number(word) == number) {
            break;
        }
    }
    return index;
}

static bool is_size(uint64_t bytes)
{
    return bytes >= MT_RING_LEAST && bytes <= MT_LOAN_BYTES && (bytes & (bytes - 1)) == 0;
}

struct mt_ring *loans_map(const struct shared *shared, uint32_t number, uint64_t *bytes)
{
    uint32_t index = find(shared, number);
    *bytes = index < MT_LOANS ? shared->control->loans[index].bytes : 0;
    int fd = is_size(*bytes) ? shared_open_control(shared) : -1;
    if (fd < 0) {
        return NULL;
    }
    struct mt_ring *ring = shared_map_twice(fd, mt_loan_at(index), *bytes);
    close(fd);
    return ring;
}

void loans_take_back(const struct shared *shared, uint32_t number)
{
    uint32_t index = find(shared, number);
    int fd = index < MT_LOANS ? shared_open_control(shared) : -1;
    if (index < MT_LOANS) {
        if (fd >= 0) {
            release(fd, index);
            close(fd);
        }
        atomic_store(&shared->control->loans[index].word, 0);
    }
}
