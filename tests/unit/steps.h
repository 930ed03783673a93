/* SPDX-License-Identifier: Apache-2.0 */
/* From the instruction after steps_on() to steps_off(), a trap after each one; a handler itself runs without. */
#ifndef TEST_STEPS_H
#define TEST_STEPS_H

#if defined(__x86_64__)
static inline void steps_on(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp"
                     ::: "cc", "memory");
}

static inline void steps_off(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp"
                     ::: "cc", "memory");
}
#endif

#endif
