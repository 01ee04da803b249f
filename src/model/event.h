/* event.h -- what can happen, as it is told to people and systems: the one table of types. Plain data.
 *
 * A row here is all that a new type needs: an audit entry whose action (or event name) stands here is told as an event in the same
 * transaction (trust/audit.h), and trust/event.h tells what no audit entry does. doc/events.md lists the types; a test compares. */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include "base/slice.h"

/*    type                        name                         what happened */
#define EVENT_TYPES(X)                                                                                                    \
    X(EVENT_DEVICE_ENROLLED,      "device.enrolled",           "a device is known from now on")                           \
    X(EVENT_DEVICE_REMOVED,       "device.removed",            "a device and all its rows were removed")                  \
    X(EVENT_DEVICE_VERIFIED,      "device.verified",           "its key is proven by a certificate chain")                \
    X(EVENT_DEVICE_FIRST_CONTACT, "device.first_contact",      "it was heard for the first time")                         \
    X(EVENT_DEVICE_CONTACT,       "device.contact",            "it was heard over another network than before")           \
    X(EVENT_DEVICE_STATE_CHANGED, "device.state_changed",      "its IPA announced a change of state")                     \
    X(EVENT_DEVICE_QUARANTINED,   "device.quarantined",        "nothing but inventories is signed for it from now on")    \
    X(EVENT_DEVICE_RELEASED,      "device.released",           "it is out of quarantine")                                 \
    X(EVENT_DEVICE_SIGNING_KEY,   "device.signing_key",        "a person said which key of ours its card has")            \
    X(EVENT_DEVICE_PROVEN,        "device.control_proven",     "another eIM's control of its card was proven")            \
    X(EVENT_DEVICE_CONFIRMED,     "device.control_confirmed",  "a person vouched for another eIM's control of its card")  \
    X(EVENT_PROFILE_ENABLED,      "profile.enabled",           "its eUICC signed that another profile is enabled")        \
    X(EVENT_PROFILE_DISABLED,     "profile.disabled",          "its eUICC signed that none is enabled")                   \
    X(EVENT_PROFILE_DELETED,      "profile.deleted",           "its eUICC signed that a profile was deleted")             \
    X(EVENT_OPERATION_CREATED,    "operation.created",         "an operation was ordered")                                \
    X(EVENT_OPERATION_REPEATED,   "operation.repeated",        "an operation that was not executed is ordered again")     \
    X(EVENT_OPERATION_PENDING,    "operation.pending",         "it waits again: the card could not execute anything then") \
    X(EVENT_OPERATION_SENT,       "operation.sent",            "its package left for the device")                         \
    X(EVENT_OPERATION_UNKNOWN,    "operation.unknown",         "no result came in time: an inventory will tell")          \
    X(EVENT_OPERATION_DONE,       "operation.done",            "its eUICC signed that it was executed")                   \
    X(EVENT_OPERATION_FAILED,     "operation.failed",          "it was refused or failed")                                \
    X(EVENT_OPERATION_ROLLED_BACK, "operation.rolled_back",    "the device went back to the profile before")              \
    X(EVENT_OPERATION_CANCELLED,  "operation.cancelled",       "it was taken back before it was fetched")                 \
    X(EVENT_OPERATION_EXPIRED,    "operation.expired",         "it was not fetched in time")                              \
    X(EVENT_NOTIFICATION_RECEIVED, "notification.received",    "the card reported a change to an operator's SM-DP+")      \
    X(EVENT_NOTIFICATION_WAITING, "notification.waiting",      "a notification that was held is on its way again")        \
    X(EVENT_NOTIFICATION_HELD,    "notification.held",         "it may not be forwarded as things stand")                 \
    X(EVENT_NOTIFICATION_FORWARDED, "notification.forwarded",  "its SM-DP+ has it")                                       \
    X(EVENT_NOTIFICATION_FAILED,  "notification.failed",       "its SM-DP+ did not take it for too long")                 \
    X(EVENT_NOTIFICATION_RETRIED, "notification.retried",      "a person ordered another try")                            \
    X(EVENT_NOTIFICATION_DROPPED, "notification.dropped",      "a person gave it up")                                     \
    X(EVENT_PORDER_CREATED,       "profile_order.created",     "a profile was ordered for a device")                      \
    X(EVENT_PORDER_ORDERING,      "profile_order.ordering",    "its calls to the SM-DP+ are made again")                  \
    X(EVENT_PORDER_PLACED,        "profile_order.placed",      "a download of the device has its activation code")        \
    X(EVENT_PORDER_UNCLEAR,       "profile_order.unclear",     "the SM-DP+ may have acted: a person decides")             \
    X(EVENT_PORDER_CANCELLING,    "profile_order.cancelling",  "it is being taken back at the SM-DP+")                    \
    X(EVENT_PORDER_CANCELLED,     "profile_order.cancelled",   "it was taken back")                                       \
    X(EVENT_PORDER_NOTIFIED,      "profile_order.notified",    "its SM-DP+ says how far the download is")                 \
    X(EVENT_PORDER_FAILED,        "profile_order.failed",      "it was refused; nothing was ordered")                     \
    X(EVENT_POOL_LOW,             "pool.low",                  "a pool has fewer free activation codes than it should")   \
    X(EVENT_POOL_REFILLED,        "pool.refilled",             "it has enough again")
enum event_type {
#define X(id, name, text) id,
    EVENT_TYPES(X)
#undef X
    EVENT_TYPE_END
};
const char *event_type_name(enum event_type t);
const char *event_type_text(enum event_type t);
/* event_type_named -- EVENT_TYPE_END when there is none of that name. */
enum event_type event_type_named(struct slice name);

/* A choice of types. All zero: every type, those that this program does not know included. */
struct event_filter { bool some, on[EVENT_TYPE_END]; };
/* event_filter_add -- "operation.done", or "operation.*" for all that begin so. False: no type is named so. */
bool event_filter_add(struct event_filter *f, struct slice pattern);
bool event_filter_passes(const struct event_filter *f, struct slice type);

#endif
