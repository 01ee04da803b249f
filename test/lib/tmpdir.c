/* tmpdir.c -- temporary directories that go away with the test. */
#include "test/lib/tmpdir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIRS = 256, PATH = 512 };

static struct { char path[PATH]; pid_t owner; } dirs[DIRS];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_all(void)
{
    for (int i = 0; i < DIRS; i++)
        if (dirs[i].path[0] && dirs[i].owner == getpid()) tmp_remove(dirs[i].path);
}

const char *tmp_make(void)
{
    static int registered;
    const char *base = getenv("TMPDIR");
    int i = 0;
    while (i < DIRS && dirs[i].path[0]) i++;
    if (i == DIRS) {
        fprintf(stderr, "tmp_make: more than %d directories in one test program\n", DIRS);
        abort();
    }
    snprintf(dirs[i].path, PATH, "%s/t.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(dirs[i].path)) {
        perror(dirs[i].path);
        abort();
    }
    dirs[i].owner = getpid();
    if (!registered++) atexit(remove_all);
    return dirs[i].path;
}

const char *tmp_path(const char *dir, const char *name)
{
    static char out[8][2 * PATH];
    static unsigned turn;
    char *p = out[turn++ % 8];
    if (snprintf(p, sizeof out[0], "%s/%s", dir, name) >= (int)sizeof out[0]) {
        fprintf(stderr, "tmp_path: path too long\n");
        abort();
    }
    return p;
}

void tmp_remove(const char *dir)
{
    if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0) perror(dir);
    for (int i = 0; i < DIRS; i++)
        if (strcmp(dirs[i].path, dir) == 0) dirs[i].path[0] = 0;
}
