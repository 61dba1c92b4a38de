/*
 * The program images of a session (image.h): made with their first ring, told
 * of by their rings, finished when they die, exec or outlive the program.
 */
#ifndef COLLECT_IMAGES_H
#define COLLECT_IMAGES_H

#include "collect/drain.h"
#include "collect/image.h"
#include "collect/session.h"

/* What the drain calls for records that are about an image or a moment. */
extern const struct drain_events images_events;

/* The image of that number, NULL if there is none. */
struct image *images_find(struct collector *collector, uint32_t number);
/* A new one, as its first ring says (NULL: no agent is in it); an older one of the same process has
   become it by exec. */
struct image *images_make(
    struct collector *collector, int pid, uint32_t number, const struct mt_ring *ring);
/* Takes what is left in its rings, records its end and closes them. */
void images_finish(struct collector *collector, struct image *image, int status);
/* Finishes those whose processes are gone, but for the main one. */
void images_find_dead(struct collector *collector);
/* After a kill of the collector: descriptors were the old one's. */
void images_reopen(struct collector *collector);

#endif
