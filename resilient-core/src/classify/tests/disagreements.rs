//! Where the corpus and the classifier differ, and why. Each line is checked: it must still
//! differ, in the field it names and in no other.

/// Entries of the corpus that expect something else, for one reason.
pub(super) struct Disagreement {
    pub(super) field: &'static str,
    pub(super) reason: &'static str,
    pub(super) ids: &'static [&'static str],
}

pub(super) const DISAGREEMENTS: &[Disagreement] = &[
    Disagreement {
        field: "table",
        reason: "MariaDB's message names the key alone, and no field names the table: what was \
                 not sent cannot be read. An adapter that knows it passes `table`.",
        ids: &[
            "mdb-dup.unique",
            "mdb-dup.pk",
            "mdb-dup.composite",
            "mdb-dup.binary",
            "mdb-dup.longval",
            "mdb-dup.blobhash",
            "mdb-dup.dash",
            "mdb-dup.empty",
            "mdb-dup.alter",
            "mdb-dup.without_overlaps",
            "mdb-dup.newline",
            "mdb-dup.partpk",
            "mdb-dup.shift_update",
            "mdb-dup.alter_unique",
            "mdb-lc.dup",
            "mdb-lc.dup_fr",
            "mdb-lc.dup_ru",
            "mdb-lc.dup_zh",
        ],
    },
    Disagreement {
        field: "effect",
        reason: "The same report comes from inside a transaction, which it aborts: only who sent \
                 the statement knows that there was none, or an implicit one.",
        ids: &[
            "pg-proto.no_stmt",
            "pg-plan.cached",
            "pg-pgb.dup_prepared",
            "pg-simple.multi",
        ],
    },
    Disagreement {
        field: "effect",
        reason: "A leader lowers what its parallel worker died of to ERROR before it passes it \
                 on (HandleParallelMessage). A FATAL that reaches the client ends its session.",
        ids: &["pg-smart-shutdown-idle"],
    },
    Disagreement {
        field: "effect",
        reason: "The server's innodb_rollback_on_timeout decides and is in no field; the default \
                 is OFF. An adapter that knows better passes `transaction_open`.",
        ids: &["mdb-lock.wait_timeout_rollback_on_timeout"],
    },
    Disagreement {
        field: "effect",
        reason: "gal.reject is the same report, was observed, and left the session usable: \
                 connecting and `select 1` still work on a node outside the primary component.",
        ids: &["gal-1047"],
    },
    Disagreement {
        field: "effect",
        reason: "ON CONFLICT ROLLBACK and RAISE(ROLLBACK) give the code and text of their \
                 harmless siblings; `transaction_open(false)` tells them apart.",
        ids: &["lite-uq.or_rollback", "lite-trig.rollback"],
    },
    Disagreement {
        field: "effect",
        reason: "A full disk and an interrupted write roll the transaction back; an exhausted \
                 AUTOINCREMENT and an interrupted SELECT look the same and do not. To believe \
                 that it is gone is the safe error; `transaction_open(true)` corrects it.",
        ids: &["lite-full.autoinc", "lite-interrupt"],
    },
    Disagreement {
        field: "constraint",
        reason: "`my.table.email` may be key `table.email` of `my`, like `a.a.idx` next to it. A \
                 dot in the name of an index is likelier; `table` settles it.",
        ids: &["my8-dottable"],
    },
    Disagreement {
        field: "table",
        reason: "As above: the border between table and key is not in the text, and `a.a.idx` \
                 wants the first dot where `my.table.email` wants the last.",
        ids: &["my8-dottable"],
    },
    Disagreement {
        field: "table",
        reason: "`q.a.b` and `main.x.a` have one form and want different borders; the last dot \
                 is right for the second and for `we ird.t.na,me`. `table` settles it.",
        ids: &["lite-uq.dotcol"],
    },
    Disagreement {
        field: "columns",
        reason: "As above: the border between table and column is not in the text, and one \
                 column alone gives no second name to compare with.",
        ids: &["lite-uq.dotcol"],
    },
    Disagreement {
        field: "kind",
        reason: "The words have a kind of their own for a client-side pool that had nothing to \
                 give, `pool_timeout`; the server's limit of connections is another matter.",
        ids: &["cli-pool-timeout"],
    },
];
