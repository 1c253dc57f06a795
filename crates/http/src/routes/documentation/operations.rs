//! Every operation of the API: its parameters, bodies, answers and errors.

use quorate_api::ErrorCode;

use super::operation::{Answer, Body, Content, Kind, Method, Operation, Parameter, Place};

const fn answer(status: u16, description: &'static str, content: Option<Content>) -> Answer {
    Answer { status, description, content, headers: &[] }
}

const fn query(name: &'static str, kind: Kind, description: &'static str) -> Parameter {
    Parameter { place: Place::Query, name, kind, description }
}

const fn header(name: &'static str, kind: Kind, description: &'static str) -> Parameter {
    Parameter { place: Place::Header, name, kind, description }
}

const KEY: Parameter = Parameter {
    place: Place::Path,
    name: "key",
    kind: Kind::Text,
    description: "The key, 1 to 1,024 bytes, percent-encoded. Slashes may stand as they are.",
};
const SESSION: Parameter =
    Parameter { place: Place::Path, name: "session", kind: Kind::Number, description: "The session." };
const MEMBER: Parameter =
    Parameter { place: Place::Path, name: "member", kind: Kind::Number, description: "The member's number." };
const MEMBERS: Option<Content> = Some(Content::Json("MembersAnswer"));
const TIMEOUT: Parameter = query(
    "timeout",
    Kind::Pattern("^[0-9]+(ms|s|m)$"),
    "How long the request may take: `500ms`, `2s`, at most `60s`; 5 seconds by default.",
);
const CONSISTENCY: Parameter = query(
    "consistency",
    Kind::OneOf(&["linearizable", "lease", "stale"]),
    "Whether the answer reflects every write acknowledged before (`lease`: as long as clocks keep to their bound), or is whatever the node has, with its age.",
);
const MAX_STALENESS: Parameter = query(
    "max_staleness",
    Kind::Pattern("^[0-9]+(ms|s|m)$"),
    "Goes with `consistency=stale`: how old the node's state may have been when the request arrived.",
);
const REVISION: Parameter =
    query("revision", Kind::Number, "The revision to read at; the newest by default.");
const PREFIX: Parameter =
    query("prefix", Kind::Text, "The keys that begin with these percent-encoded bytes. Empty: every key.");
const START: Parameter = query("start", Kind::Text, "The first key, percent-encoded.");
const END: Parameter = query("end", Kind::Text, "The first key that is not meant any more, percent-encoded.");
const IDEMPOTENCY_KEY: Parameter = header(
    "Idempotency-Key",
    Kind::Pattern("^[0-9]+:[0-9]+$"),
    "`SESSION:SEQUENCE`: however often a request with this key arrives, it has an effect once.",
);
const ACKNOWLEDGED_BELOW: Parameter = header(
    "Quorate-Acknowledged-Below",
    Kind::Number,
    "Goes with an `Idempotency-Key`: the outcomes of the session's sequences below this one may be forgotten.",
);
const IF_MATCH: Parameter = header(
    "If-Match",
    Kind::Text,
    "Write only if the key's newest change has this revision (`\"17\"`), or if the key exists (`*`).",
);
const IF_NONE_MATCH_WRITE: Parameter =
    header("If-None-Match", Kind::Text, "`*`: write only if the key does not exist.");
const IF_NONE_MATCH_READ: Parameter =
    header("If-None-Match", Kind::Text, "Answer 304 if the key still has one of these entity tags.");
const ACCEPT: Parameter = header(
    "Accept",
    Kind::Text,
    "`application/json` for the JSON form, which has an entity tag of its own; the value itself otherwise.",
);

const IN_SESSION: &[ErrorCode] = &[
    ErrorCode::SessionExpired,
    ErrorCode::SequenceFreed,
    ErrorCode::SequenceReused,
    ErrorCode::TooManyOutcomes,
];
const OF_KEY: &[ErrorCode] =
    &[ErrorCode::KeyEmpty, ErrorCode::KeyTooLong, ErrorCode::BadKey, ErrorCode::BadHeader];
const OF_WRITE: &[ErrorCode] = &[
    ErrorCode::BadHeader,
    ErrorCode::BadBody,
    ErrorCode::RequestTimeout,
    ErrorCode::TooManyHops,
    ErrorCode::OutcomeUnknown,
    ErrorCode::DiskFull,
];
const OF_MEMBER: &[ErrorCode] = &[
    ErrorCode::BadHeader,
    ErrorCode::BadBody,
    ErrorCode::RequestTimeout,
    ErrorCode::MembershipChangeInProgress,
    ErrorCode::OutcomeUnknown,
];
const OF_READ: &[ErrorCode] = &[
    ErrorCode::BadBody,
    ErrorCode::Damaged,
    ErrorCode::FutureRevision,
    ErrorCode::Compacted,
    ErrorCode::TooStale,
];

const KEY_NUMBERS: &[&str] = &["ETag", "Quorate-Revision", "Quorate-Create-Revision", "Quorate-Version"];

/// The operations, in the order of the page.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: Method::Get,
        path: "/v1/kv/{key}",
        id: "getKey",
        summary: "Read a key, now or at a revision of the past.",
        parameters: &[KEY, REVISION, CONSISTENCY, MAX_STALENESS, TIMEOUT, ACCEPT, IF_NONE_MATCH_READ],
        body: None,
        answers: &[
            Answer {
                status: 200,
                description: "The value.",
                content: Some(Content::RawOrJson("KeyAnswer")),
                headers: KEY_NUMBERS,
            },
            Answer {
                status: 304,
                description: "The client has it already.",
                content: None,
                headers: KEY_NUMBERS,
            },
        ],
        errors: &[OF_KEY, OF_READ, &[ErrorCode::KeyNotFound]],
    },
    Operation {
        method: Method::Put,
        path: "/v1/kv/{key}",
        id: "putKey",
        summary: "Set a key's value.",
        parameters: &[KEY, TIMEOUT, IF_MATCH, IF_NONE_MATCH_WRITE, IDEMPOTENCY_KEY, ACKNOWLEDGED_BELOW],
        body: Some(Body { content: Content::Raw, required: false }),
        answers: &[
            Answer {
                status: 200,
                description: "The key has a new value.",
                content: None,
                headers: KEY_NUMBERS,
            },
            Answer { status: 201, description: "The key is new.", content: None, headers: KEY_NUMBERS },
        ],
        errors: &[
            OF_KEY,
            OF_WRITE,
            IN_SESSION,
            &[ErrorCode::PreconditionFailed, ErrorCode::ValueTooLarge, ErrorCode::QuotaExceeded],
        ],
    },
    Operation {
        method: Method::Delete,
        path: "/v1/kv/{key}",
        id: "deleteKey",
        summary: "Remove a key.",
        parameters: &[KEY, TIMEOUT, IF_MATCH, IDEMPOTENCY_KEY, ACKNOWLEDGED_BELOW],
        body: None,
        answers: &[Answer {
            status: 204,
            description: "The key is gone.",
            content: None,
            headers: &["Quorate-Revision"],
        }],
        errors: &[OF_KEY, OF_WRITE, IN_SESSION, &[ErrorCode::PreconditionFailed, ErrorCode::KeyNotFound]],
    },
    Operation {
        method: Method::Get,
        path: "/v1/kv",
        id: "listKeys",
        summary: "Read a range of keys, all at one revision.",
        parameters: &[
            PREFIX,
            START,
            END,
            query("limit", Kind::Positive, "How many keys at most; all by default."),
            query("order", Kind::OneOf(&["ascending", "descending"]), "Ascending by default."),
            query("keys_only", Kind::Flag, "No values."),
            query("count_only", Kind::Flag, "Only how many keys there are: a `CountAnswer`."),
            REVISION,
            query("cursor", Kind::Text, "The `next_cursor` of the answer to the same query, to go on there."),
            CONSISTENCY,
            MAX_STALENESS,
            TIMEOUT,
        ],
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The keys. A long answer is sent in pieces, and cut off without its end if it cannot go on.",
            content: Some(Content::Json("RangeAnswer")),
            headers: &["Quorate-Revision"],
        }],
        errors: &[OF_READ, &[ErrorCode::BadCursor]],
    },
    Operation {
        method: Method::Delete,
        path: "/v1/kv",
        id: "deleteKeys",
        summary: "Remove a range of keys, chunk by chunk; with an `Idempotency-Key`, one chunk.",
        parameters: &[PREFIX, START, END, TIMEOUT, IDEMPOTENCY_KEY, ACKNOWLEDGED_BELOW],
        body: None,
        answers: &[answer(200, "The keys are gone.", Some(Content::Json("DeleteRangeAnswer")))],
        errors: &[OF_WRITE, IN_SESSION],
    },
    Operation {
        method: Method::Post,
        path: "/v1/txn",
        id: "transact",
        summary: "Compare, and then do one of two lists of operations, all at once.",
        parameters: &[TIMEOUT, IDEMPOTENCY_KEY, ACKNOWLEDGED_BELOW],
        body: Some(Body { content: Content::Json("Transaction"), required: true }),
        answers: &[answer(200, "What was done.", Some(Content::Json("TransactionAnswer")))],
        errors: &[
            OF_WRITE,
            IN_SESSION,
            &[
                ErrorCode::BadKey,
                ErrorCode::NestedTooDeep,
                ErrorCode::DuplicateKey,
                ErrorCode::TooManyOperations,
                ErrorCode::TooManyComparisons,
                ErrorCode::BodyTooLarge,
                ErrorCode::TransactionTooLarge,
                ErrorCode::ValueTooLarge,
                ErrorCode::QuotaExceeded,
                ErrorCode::Damaged,
            ],
        ],
    },
    Operation {
        method: Method::Get,
        path: "/v1/revisions",
        id: "listChanges",
        summary: "List what changed, revision by revision.",
        parameters: &[
            query("from", Kind::Number, "The first revision; the first there ever was by default."),
            query("limit", Kind::Positive, "How many revisions at most."),
            CONSISTENCY,
            MAX_STALENESS,
            TIMEOUT,
        ],
        body: None,
        answers: &[answer(200, "The changes.", Some(Content::Json("ChangesAnswer")))],
        errors: &[OF_READ],
    },
    Operation {
        method: Method::Post,
        path: "/v1/compact",
        id: "compact",
        summary: "Give up what was before a revision.",
        parameters: &[TIMEOUT],
        body: Some(Body { content: Content::Json("CompactBody"), required: true }),
        answers: &[answer(200, "What can be read from now on.", Some(Content::Json("CompactAnswer")))],
        errors: &[OF_WRITE, &[ErrorCode::FutureRevision, ErrorCode::BodyTooLarge]],
    },
    Operation {
        method: Method::Get,
        path: "/v1/settings",
        id: "getSettings",
        summary: "Show the replicated settings.",
        parameters: &[TIMEOUT],
        body: None,
        answers: &[answer(200, "The settings.", Some(Content::Json("SettingsAnswer")))],
        errors: &[&[ErrorCode::BadBody, ErrorCode::Damaged]],
    },
    Operation {
        method: Method::Put,
        path: "/v1/settings",
        id: "changeSettings",
        summary: "Change the named settings: all or, if one cannot be so, none.",
        parameters: &[TIMEOUT],
        body: Some(Body { content: Content::Json("SettingsBody"), required: true }),
        answers: &[answer(200, "The settings as they are now.", Some(Content::Json("SettingsAnswer")))],
        errors: &[OF_WRITE, &[ErrorCode::BadSetting, ErrorCode::BodyTooLarge, ErrorCode::Damaged]],
    },
    Operation {
        method: Method::Post,
        path: "/v1/sessions",
        id: "openSession",
        summary: "Open a session.",
        parameters: &[TIMEOUT],
        body: Some(Body { content: Content::Json("OpenSessionBody"), required: false }),
        answers: &[Answer {
            status: 201,
            description: "The session is open.",
            content: Some(Content::Json("SessionAnswer")),
            headers: &["Location"],
        }],
        errors: &[OF_WRITE, &[ErrorCode::TooManySessions, ErrorCode::BodyTooLarge]],
    },
    Operation {
        method: Method::Post,
        path: "/v1/sessions/{session}",
        id: "keepSession",
        summary: "Give a sign of life of a session.",
        parameters: &[SESSION, TIMEOUT],
        body: None,
        answers: &[answer(200, "It is good for this long again.", Some(Content::Json("SessionAnswer")))],
        errors: &[OF_WRITE, &[ErrorCode::SessionExpired, ErrorCode::NotFound]],
    },
    Operation {
        method: Method::Delete,
        path: "/v1/sessions/{session}",
        id: "closeSession",
        summary: "End a session, and forget what it did.",
        parameters: &[SESSION, TIMEOUT],
        body: None,
        answers: &[answer(204, "The session has ended.", None)],
        errors: &[OF_WRITE, &[ErrorCode::SessionExpired, ErrorCode::NotFound]],
    },
    Operation {
        method: Method::Get,
        path: "/v1/cluster",
        id: "getCluster",
        summary: "The node's view of the cluster and of itself.",
        parameters: &[TIMEOUT],
        body: None,
        answers: &[answer(200, "The status.", Some(Content::Json("ClusterStatus")))],
        errors: &[],
    },
    Operation {
        method: Method::Post,
        path: "/v1/cluster/leader",
        id: "transferLeadership",
        summary: "Hand leadership over, without failing a request.",
        parameters: &[TIMEOUT],
        body: Some(Body { content: Content::Json("TransferBody"), required: false }),
        answers: &[answer(200, "Who leads now.", Some(Content::Json("TransferAnswer")))],
        errors: &[
            OF_WRITE,
            &[
                ErrorCode::BodyTooLarge,
                ErrorCode::MemberUnknown,
                ErrorCode::MemberNotVoter,
                ErrorCode::MemberUnreachable,
                ErrorCode::MemberLagging,
                ErrorCode::NoSuccessor,
            ],
        ],
    },
    Operation {
        method: Method::Get,
        path: "/v1/cluster/members",
        id: "listMembers",
        summary: "Who is a member, and what each is to become.",
        parameters: &[TIMEOUT],
        body: None,
        answers: &[answer(200, "The members, as the node knows them.", MEMBERS)],
        errors: &[],
    },
    Operation {
        method: Method::Post,
        path: "/v1/cluster/members",
        id: "addMember",
        summary: "Add a member number, which the first node that presents it claims.",
        parameters: &[TIMEOUT],
        body: Some(Body { content: Content::Json("AddMemberBody"), required: true }),
        answers: &[answer(200, "The cluster has agreed on it.", MEMBERS)],
        errors: &[OF_MEMBER, &[ErrorCode::MemberExists, ErrorCode::BodyTooLarge]],
    },
    Operation {
        method: Method::Post,
        path: "/v1/cluster/members/{member}/promote",
        id: "promoteMember",
        summary: "Make a learner a voter.",
        parameters: &[MEMBER, TIMEOUT],
        body: Some(Body { content: Content::Json("PromoteMemberBody"), required: false }),
        answers: &[answer(200, "The cluster has agreed on it.", MEMBERS)],
        errors: &[
            OF_MEMBER,
            &[
                ErrorCode::MemberUnknown,
                ErrorCode::NotFound,
                ErrorCode::SlotUnclaimed,
                ErrorCode::MemberLagging,
                ErrorCode::BodyTooLarge,
            ],
        ],
    },
    Operation {
        method: Method::Post,
        path: "/v1/cluster/members/{member}/replace",
        id: "replaceMember",
        summary: "Put a member, which is added if it is new, in the place of another one.",
        parameters: &[MEMBER, TIMEOUT],
        body: Some(Body { content: Content::Json("ReplaceMemberBody"), required: true }),
        answers: &[answer(200, "The cluster has agreed on it.", MEMBERS)],
        errors: &[
            OF_MEMBER,
            &[
                ErrorCode::MemberUnknown,
                ErrorCode::NotFound,
                ErrorCode::MemberExists,
                ErrorCode::QuorumAtRisk,
                ErrorCode::BodyTooLarge,
            ],
        ],
    },
    Operation {
        method: Method::Delete,
        path: "/v1/cluster/members/{member}",
        id: "removeMember",
        summary: "Remove a member, whose node then stops by itself.",
        parameters: &[
            MEMBER,
            query("force", Kind::Flag, "Do it even if too few voters would be reachable for a quorum."),
            TIMEOUT,
        ],
        body: None,
        answers: &[answer(200, "The cluster has agreed on it.", MEMBERS)],
        errors: &[OF_MEMBER, &[ErrorCode::MemberUnknown, ErrorCode::NotFound, ErrorCode::QuorumAtRisk]],
    },
    Operation {
        method: Method::Get,
        path: "/healthz",
        id: "isHealthy",
        summary: "Whether the node runs: restarting it would not help while this says 200.",
        parameters: &[TIMEOUT],
        body: None,
        answers: &[answer(200, "It runs.", Some(Content::Text("text/plain; charset=utf-8")))],
        errors: &[],
    },
    Operation {
        method: Method::Get,
        path: "/readyz",
        id: "isReady",
        summary: "Whether the node can serve linearizable requests, found out by doing what they need.",
        parameters: &[TIMEOUT],
        body: None,
        answers: &[answer(200, "It can.", Some(Content::Text("text/plain; charset=utf-8")))],
        errors: &[&[ErrorCode::Damaged]],
    },
    Operation {
        method: Method::Get,
        path: "/metrics",
        id: "getMetrics",
        summary: "Metrics as Prometheus text.",
        parameters: &[TIMEOUT],
        body: None,
        answers: &[answer(200, "The metrics.", Some(Content::Text(crate::metrics_text::CONTENT_TYPE)))],
        errors: &[],
    },
    Operation {
        method: Method::Get,
        path: "/openapi.json",
        id: "getDocument",
        summary: "This description, for programs.",
        parameters: &[],
        body: None,
        answers: &[answer(200, "An OpenAPI document.", Some(Content::Json("Document")))],
        errors: &[],
    },
    Operation {
        method: Method::Get,
        path: "/docs",
        id: "getPage",
        summary: "This description, for people.",
        parameters: &[],
        body: None,
        answers: &[answer(200, "A page.", Some(Content::Text("text/html; charset=utf-8")))],
        errors: &[],
    },
];
