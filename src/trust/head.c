/* head.c -- the text of an audit log's tree head. */
#include "trust/head.h"

enum eim_err audit_head_text(const char *name, struct slice tenant, uint64_t size, const struct merkle_hash *root, struct slice *text,
                             struct arena *a, struct err *e)
{
    char b64[48];
    slice_to_b64(slice_of(root->b, MERKLE_HASH), b64);
    char *all = arena_printf(a, "%s/audit/%.*s\n%llu\n%s\n", name, (int)tenant.n, (const char *)tenant.p, (unsigned long long)size, b64);
    if (!all) return fail(e, E_NOMEM, NULL, "no room for a tree head");
    *text = slice_str(all);
    return OK;
}

enum eim_err audit_head_parse(struct slice text, struct slice *origin, uint64_t *size, struct merkle_hash *root, struct err *e)
{
    struct slice rest = text, number, hash;
    bool good = slice_line(&rest, origin) && origin->n && slice_line(&rest, &number) && slice_line(&rest, &hash) && number.n && number.n <= 15 &&
                !(number.n > 1 && number.p[0] == '0') && slice_from_b64(hash, root->b, MERKLE_HASH) == MERKLE_HASH;
    *size = 0;
    for (size_t i = 0; good && i < number.n; i++) {
        good = number.p[i] >= '0' && number.p[i] <= '9';
        *size = *size * 10 + (uint64_t)(number.p[i] - '0');
    }
    return good && !(*size >> MERKLE_LEVELS) ? OK : fail(e, E_MALFORMED, "C2SP tlog-checkpoint", "this is no tree head");
}
