/* eims.c -- which eIMs control a card, as its eUICC attests (SGP.32 2.11.2.1, 3.5.1; spec 5.14).
 *
 * A list (listEim) replaces all that was known; the signed results of addEim and deleteEim correct it. What a list does not tell, the token of an
 * eIM that we added and the proof of its control, outlives the list as long as the eIM is on it. */
#include "eim/esipa_int.h"

#include "eim/ops.h"

/* The eIMs as this plan has them; from the store when it is the first to ask. */
static enum eim_err load(struct plan *p, struct tx *t, struct err *e)
{
    struct card_eim_list known;
    if (p->has_eims) return OK;
    p->eims = ARENA_ARRAY(p->arena, struct card_eim, PLAN_EIMS);
    if (!p->eims) return fail(e, E_NOMEM, NULL, "no room for the eIMs of a card");
    TRY(store_card_eim_list(t, p->d.association, &known, p->arena, e));
    for (p->neims = 0; p->neims < known.n && p->neims < PLAN_EIMS; p->neims++) p->eims[p->neims] = known.v[p->neims];
    p->has_eims = true;
    return OK;
}

static struct card_eim *find(struct card_eim *v, size_t n, struct slice id)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(v[i].eim_id, id)) return &v[i];
    return NULL;
}

static void put(struct plan *p, const struct card_eim *one)
{
    struct card_eim *there = find(p->eims, p->neims, one->eim_id);
    if (there) *there = *one;
    else if (p->neims < PLAN_EIMS) p->eims[p->neims++] = *one;
}

static void take(struct plan *p, struct slice id)
{
    struct card_eim *there = find(p->eims, p->neims, id);
    if (there) *there = p->eims[--p->neims];
}

static void listed(struct plan *p, const struct operation *o, const struct eim_id_list *list)
{
    struct card_eim before[PLAN_EIMS];
    size_t n = p->neims;
    memcpy(before, p->eims, n * sizeof *before);
    p->neims = 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct eim_id_info *info = &list->v[i];
        const struct card_eim *was = find(before, n, info->eim_id);
        struct card_eim one = was ? *was : (struct card_eim){ .eim_id = info->eim_id, .token = DEVICE_TOKEN_NONE };
        if (der_has(info, eim_id_info, eim_id_type)) one.id_type = info->eim_id_type;
        one.as_of_us = p->now;
        one.op = o->id;
        put(p, &one);
    }
    p->d.eims_us = o->first_sent_us;               /* it holds for the moment when it was asked for, or later */
    p->d.eims_op = o->id;
}

static void added(struct plan *p, const struct operation *o, const struct eim_configuration_data *c, const struct euicc_result_data *r)
{
    bool drawn = r->der.which == euicc_result_data_is_add_eim_result && r->add_eim_result.der.which == add_eim_result_is_association_token;
    struct card_eim one = {
        .eim_id = c->eim_id, .id_type = der_has(c, eim_configuration_data, eim_id_type) ? c->eim_id_type : 0,
        .token = drawn && r->add_eim_result.association_token > 0 ? r->add_eim_result.association_token : DEVICE_TOKEN_NONE,
        .as_of_us = p->now, .op = o->id,
    };
    put(p, &one);
}

enum eim_err eims_proved(struct plan *p, struct tx *t, const struct operation *o, const struct euicc_package *package,
                         const struct euicc_package_result_data_signed *results, struct err *e)
{
    for (size_t i = 0; i < package->eco_list.n; i++) {
        const struct eco *c = &package->eco_list.v[i];
        const struct euicc_result_data *r = ops_result_at(results, i);
        if (!r || !ops_eco_done(c, r)) return OK;
        if (c->der.which == eco_is_update_eim) {
            TRY(rotate_proved(p, &c->update_eim, e));
            continue;
        }
        TRY(load(p, t, e));
        if (c->der.which == eco_is_add_eim) added(p, o, &c->add_eim, r);
        if (c->der.which == eco_is_delete_eim) take(p, c->delete_eim.eim_id);
        if (c->der.which == eco_is_list_eim && r->der.which == euicc_result_data_is_list_eim_result) listed(p, o, &r->list_eim_result.eim_id_list);
    }
    return OK;
}
