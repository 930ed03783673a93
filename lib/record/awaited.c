/* SPDX-License-Identifier: Apache-2.0 */
/* See awaited.h. */
#include "awaited.h"

#include "../base/text.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* never held while one is asked: it may wait for others */
static struct awaited {
    char name[PROFI_AWAITED_NAME_ROOM];
    char reason[PROFI_AWAITED_REASON]; /* "": the pools are there */
    profi_await_look look;
    void *user;
    int is_over;
} awaited[PROFI_AWAITED_MOST];
static unsigned count;

int profi_awaited_add(const char *name, profi_await_look look, void *user)
{
    unsigned i = 0;
    pthread_mutex_lock(&lock);
    while (i < count && (awaited[i].look != look || awaited[i].user != user))
        i++;
    if (i == count && count < PROFI_AWAITED_MOST) {
        awaited[i] = (struct awaited){ .reason = "nobody has looked yet", .look = look, .user = user };
        strncpy(awaited[i].name, name, PROFI_AWAITED_NAME_ROOM - 1);
        count++;
    }
    pthread_mutex_unlock(&lock);
    return i < PROFI_AWAITED_MOST;
}

/* The next from `from` on that is to be asked; PROFI_AWAITED_MOST: there is none. */
static unsigned next_waiting(unsigned from)
{
    pthread_mutex_lock(&lock);
    while (from < count && awaited[from].is_over)
        from++;
    if (from >= count)
        from = PROFI_AWAITED_MOST;
    pthread_mutex_unlock(&lock);
    return from;
}

int profi_awaited_any(void) { return next_waiting(0) != PROFI_AWAITED_MOST; }

void profi_awaited_look(void)
{
    for (unsigned i = next_waiting(0); i < PROFI_AWAITED_MOST; i = next_waiting(i + 1)) {
        prof_error why = PROF_ERROR_INIT;
        char clean[PROFI_TEXT_MAX];
        prof_status status = awaited[i].look(awaited[i].user, &why);
        profi_text_clean(clean, why.message, strnlen(why.message, sizeof(why.message)));
        pthread_mutex_lock(&lock);
        awaited[i].is_over = status != PROF_E_BUSY;
        profi_text_cut(awaited[i].reason, sizeof(awaited[i].reason), status == PROF_OK ? "" : clean[0] != '\0' ? clean : "for no stated reason");
        pthread_mutex_unlock(&lock);
    }
}

int profi_awaited_at(unsigned number, profi_awaited_view *view)
{
    pthread_mutex_lock(&lock);
    int is_missing = number < count && awaited[number].reason[0] != '\0';
    if (is_missing) {
        memcpy(view->name, awaited[number].name, sizeof(view->name));
        memcpy(view->reason, awaited[number].reason, sizeof(view->reason));
    }
    pthread_mutex_unlock(&lock);
    return is_missing;
}

void profi_awaited_lock(void) { pthread_mutex_lock(&lock); }
void profi_awaited_unlock(void) { pthread_mutex_unlock(&lock); }
