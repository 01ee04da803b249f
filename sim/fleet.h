/* fleet.h -- many simulated devices against one eIM over HTTPS.
 *
 * Devices wait in a heap ordered by the time of their next contact; T threads, each with one blocking HTTPS client of
 * its own, take whoever is due. A device is about half a kilobyte while it owes nothing, so a million fit in a
 * gigabyte. Everything about a device follows from (seed, index): EID, ICCIDs, key, losses, quirks, coverage. */
#ifndef SIM_FLEET_H
#define SIM_FLEET_H

#include "sim/ipa.h"

enum {
    SIM_DEVICES_MAX = 2 * 1000 * 1000,
    SIM_THREADS_MAX = 256,
    SIM_STUCK_VISITS = 8,              /* until idle: contacts in a row that left something open, before a device counts as stuck */
    SIM_RETRY_US = 200 * 1000,         /* after a transport failure; doubled each time, up to SIM_RETRY_MAX_US */
    SIM_RETRY_MAX_US = 10 * 1000 * 1000,
};

struct sim_device {
    struct sim_euicc card;
    struct sim_ipa ipa;
};

/* sim_device_init -- device `index` of the fleet `seed`: its EID, a profile of the world's operator 0 enabled, one of
 * operator 1 installed (both operational, fallback allowed). No eIM yet. Must not be moved afterwards. */
void sim_device_init(struct sim_device *d, struct sim_world *w, const struct sim_ipa_config *config, uint64_t seed, uint64_t index);
void sim_device_free(struct sim_device *d);

/* sim_device_associate -- AddInitialEim with the eIM's blob (a whole BF57 TLV). false: the card refused. */
bool sim_device_associate(struct sim_device *d, struct slice blob, struct arena *a);

struct sim_fleet_config {
    const char *psk;                   /* "ID:HEX" over CoAP, or NULL: certificates */
    const char *url;                   /* https://HOST:PORT, or coaps://HOST:PORT, without path */
    const char *ca_file;               /* PEM, what TLS trusts */
    struct slice eim_config;           /* BF57 */
    struct sim_world *world;
    struct sim_ipa_config ipa;
    uint64_t seed;
    uint32_t devices;
    unsigned threads;
    int64_t interval_us;               /* between two contacts */
    unsigned jitter_pct;
    bool sleep;                        /* one contact in eight is followed by eight intervals of sleep */
    const char *smdp_ca;               /* PEM, what TLS to SM-DP+ trusts */
    bool indirect, direct;             /* how it does; both: in turn, the first device directly */
    bool json;                         /* the JSON binding; results in both spellings in turn */
    bool fresh;                        /* a new connection for each message */
    bool until_idle;                   /* each device stops at its first contact that ends with nothing pending */
    uint32_t no_coverage;              /* this many devices have no network */
    unsigned no_coverage_operator;     /*   with profiles of this operator */
    uint32_t quirk_devices[SIM_QUIRK_COUNT];     /* how many devices have each quirk; spread, quirks on different devices */
};

struct sim_fleet_state {
    uint32_t idle;                     /* devices whose last contact ended with nothing pending and nothing owed */
    uint32_t stuck, faulty;            /* given up (until_idle); the simulator's own failures */
    uint32_t owing;                    /* devices that hold an undelivered result */
    uint32_t enabled[SIM_OPERATORS + 1];         /* by operator of the enabled profile; last: none */
    struct sim_counters counters;
};

struct sim_fleet;

/* sim_fleet_new -- make the devices and associate each with the eIM. E_INVALID: the cards refuse the configuration;
 * E_NOMEM. Borrows what `c` points to. */
MUST enum eim_err sim_fleet_new(struct sim_fleet **out, const struct sim_fleet_config *c, struct err *e);

/* sim_fleet_start -- start the threads. E_CONF, E_IO, E_NOMEM: none runs. */
MUST enum eim_err sim_fleet_start(struct sim_fleet *f, struct err *e);
/* sim_fleet_done -- until_idle: has every device stopped? */
bool sim_fleet_done(struct sim_fleet *f);
/* sim_fleet_progress -- how many devices have stopped (until_idle) or are idle, and messages so far. Cheap. */
void sim_fleet_progress(struct sim_fleet *f, uint32_t *devices, uint64_t *messages);
/* sim_fleet_stop -- let contacts end, join the threads. */
void sim_fleet_stop(struct sim_fleet *f);
/* sim_fleet_look -- after sim_fleet_stop. */
void sim_fleet_look(const struct sim_fleet *f, struct sim_fleet_state *s);
/* sim_fleet_device -- after sim_fleet_stop, or before sim_fleet_start. */
struct sim_device *sim_fleet_device(struct sim_fleet *f, uint32_t index);
void sim_fleet_free(struct sim_fleet *f);

#endif
