/* replay.c -- gives every file of a folder to a fuzz target, without libFuzzer: the corpus as an ordinary test. */
#include "test/fuzz/replay.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1 << 20 };

static int replay(const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    uint8_t *in = malloc(INPUT_MAX);
    size_t n = f && in ? fread(in, 1, INPUT_MAX, f) : 0;
    int good = f && in && !ferror(f) && n < INPUT_MAX;
    if (!good) printf("# %s: cannot be read, or larger than %d bytes\n", path, INPUT_MAX);
    uint8_t *exact = malloc(n ? n : 1);     /* of its own size, so that the sanitizer sees a read behind the end */
    if (good && exact) {
        memcpy(exact, in, n);
        fprintf(stderr, "%s\n", path);      /* the last one named is the one that broke it */
        LLVMFuzzerTestOneInput(exact, n);
    }
    free(exact);
    free(in);
    if (f) fclose(f);
    return good && exact;
}

int main(int argc, char **argv)
{
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    int good = 0, bad = 0;
    puts("1..1");
    fflush(stdout);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') replay(argv[1], e->d_name) ? good++ : bad++;
    if (d) closedir(d);
    printf("%s 1 - %d inputs of the corpus replayed\n", good && !bad ? "ok" : "not ok", good);
    return good && !bad ? 0 : 1;
}
