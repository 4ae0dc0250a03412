// Moves the clocks that a program reads, while it runs: a wall clock that is set, a machine that was suspended.
//
// Loaded by LD_PRELOAD. HANSARD_TEST_CLOCK names a file of two 64-bit numbers, nanoseconds that are added to the wall clock
// and to CLOCK_BOOTTIME from the moment they are written there. A program may ask past the C library, so what is replaced
// is what all of them ask: the kernel's own code for it, which is mapped into every process (the vDSO). Whatever is not as
// expected ends the program: a test must not pass because nothing was moved.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the jump that is written into the vDSO is one of x86-64"
#endif

static const volatile int64_t *moved;

static long moved_clock(clockid_t clock, struct timespec *time) {
    long result = syscall(SYS_clock_gettime, clock, time);
    int64_t by = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? moved[0] : clock == CLOCK_BOOTTIME ? moved[1] : 0;
    if (result == 0 && by != 0) {
        int64_t ns = time->tv_sec * INT64_C(1000000000) + time->tv_nsec + by;
        time->tv_sec = ns / 1000000000;
        time->tv_nsec = ns % 1000000000;
    }
    return result;
}

static void give_up(const char *why) {
    perror(why);
    _exit(99);
}

// movabs rax, to; jmp rax
static void jump_to(unsigned char *code, void *to) {
    memcpy(code, "\x48\xb8", 2);
    memcpy(code + 2, &to, 8);
    memcpy(code + 10, "\xff\xe0", 2);
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("HANSARD_TEST_CLOCK");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) give_up("clock: HANSARD_TEST_CLOCK");
    moved = mmap(NULL, 16, PROT_READ, MAP_SHARED, file, 0);
    if (moved == MAP_FAILED) give_up("clock: HANSARD_TEST_CLOCK");
    close(file);

    unsigned char *base = (unsigned char *)getauxval(AT_SYSINFO_EHDR), *from = base;
    if (base == NULL) give_up("clock: there is no vDSO");
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)base;
    const Elf64_Phdr *part = (const Elf64_Phdr *)(base + elf->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    size_t size = 0, page = sysconf(_SC_PAGESIZE);
    for (int i = 0; i < elf->e_phnum; i++) {
        if (part[i].p_type == PT_LOAD) {
            from = base + part[i].p_offset - part[i].p_vaddr;
            size = part[i].p_offset + part[i].p_memsz;
        }
        if (part[i].p_type == PT_DYNAMIC) dynamic = (const Elf64_Dyn *)(base + part[i].p_offset);
    }
    // All of it: the kernel lets nobody split this mapping.
    size = (size + page - 1) / page * page;
    if (mprotect(base, size, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) give_up("clock: the vDSO cannot be written");
    const Elf64_Sym *symbols = NULL;
    const char *names = NULL;
    uint32_t count = 0;
    for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB) symbols = (const Elf64_Sym *)(from + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_STRTAB) names = (const char *)(from + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_HASH) count = ((const uint32_t *)(from + dynamic->d_un.d_ptr))[1];
    }
    int found = 0;
    for (uint32_t i = 0; symbols != NULL && names != NULL && i < count; i++) {
        if (strcmp(names + symbols[i].st_name, "__vdso_clock_gettime") == 0) {
            jump_to(from + symbols[i].st_value, (void *)moved_clock);
            found = 1;
        }
    }
    if (!found) give_up("clock: the vDSO has no clock");
}
