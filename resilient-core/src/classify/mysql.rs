//! The table of error numbers: the error references of `MySQL` and `MariaDB`, `TiDB`'s error
//! codes, the client libraries' 2000s and RDS Proxy's 9501.
//!
//! The number decides, not the SQLSTATE beside it, which misleads: 1052 (ambiguous column) is
//! 23000, 1265 (invalid value) is 01000, 1205 and 3819 are HY000.

use super::identity::{self, Identity};
use super::{Engine, ErrorReport, Phase, Verdict};
use crate::fault::{Effect, FaultKind as K};

/// Verdict and identity.
pub(super) fn classify(report: &ErrorReport<'_>) -> (Verdict, Identity) {
    let Ok(number) = report.code.parse::<u32>() else {
        return (
            in_phase(0, by_sqlstate(report), report),
            Identity::default(),
        );
    };
    let verdict = in_phase(number, verdict(number, report), report);
    (verdict, identity::mysql(number, report))
}

/// What the phase adds: there is no session yet, or COMMIT was the statement that failed.
fn in_phase(number: u32, verdict: Verdict, report: &ErrorReport<'_>) -> Verdict {
    match (report.phase, verdict.effect) {
        // 1820 lets the session in, to change its password.
        (Phase::Connect, _) if number != 1820 => Verdict::session(verdict.kind),
        (Phase::Commit, Effect::Connection) => Verdict::COMMIT_UNKNOWN,
        // A server that refuses COMMIT rolls back.
        (Phase::Commit, Effect::Statement) => Verdict::transaction(verdict.kind),
        _ => verdict,
    }
}

/// The table.
#[expect(
    clippy::match_same_arms,
    clippy::too_many_lines,
    reason = "a table by meaning, with a reason on each line"
)]
fn verdict(number: u32, report: &ErrorReport<'_>) -> Verdict {
    let kind = match number {
        // Violations.
        1022 | 1062 | 1169 | 1569 | 1586 | 1859 => K::Unique,
        1557 | 1761 | 1762 => K::Unique, // a cascading update would write a key twice
        1216 | 1217 | 1451 | 1452 => K::ForeignKey,
        1701 | 3730 => K::ForeignKey, // TRUNCATE, DROP TABLE of a parent
        1048 | 1263 | 1364 | 3673 => K::NotNull,
        1369 | 3819 => K::Check, // view's CHECK OPTION, check constraint
        4025 => return constraint_failed(report),
        8147 => return Verdict::transaction(K::Unique), // TiDB: unique check put off to here

        // Other transactions in the way.
        1213 | 1614 => return Verdict::transaction(K::Deadlock), // InnoDB and Galera, XA
        3058 | 3132 => K::Deadlock, // user-level locks: the transaction is untouched
        1205 | 1689 | 3133 | 3572 | 9004 => K::LockTimeout, // 3572: NOWAIT
        3177 | 8020 => K::LockTimeout, // refused by the engine, TiDB's LOCK TABLES
        1613 => return Verdict::transaction(K::LockTimeout), // XA
        1020 => return record_changed(report),
        1964 => return Verdict::transaction(K::SerializationFailure), // an earlier commit failed
        3101 => return Verdict::transaction(K::SerializationFailure), // Group Replication
        8002 | 8005 | 8022 | 9007 => return Verdict::transaction(K::SerializationFailure), // TiDB
        8055 | 9006 => return Verdict::transaction(K::SerializationFailure), // snapshot too old
        1180 => return during_commit(report),
        1030 => return engine_error(report.message),
        1297 => return temporary_error(report.message),
        4060 if maria(report) => return Verdict::transaction(K::PendingRollback), // MyRocks
        8024 | 8229 => return Verdict::transaction(K::PendingRollback), // TiDB: its locks expired
        1399 if report.message.contains("ROLLBACK ONLY") => return Verdict::transaction(K::Other),
        1402 => return Verdict::transaction(K::Other), // XA_RBROLLBACK

        // Prepared for another schema, or another session.
        1243 | 1412 | 1615 | 8111 | 8113 => K::StalePlan,
        8027 | 8028 => return Verdict::transaction(K::StalePlan),

        // Limits of time, and KILL QUERY.
        1028 | 1317 | 1969 | 3024 | 3699 | 4192 | 8253 | 9002 | 9012 => K::StatementTimeout,

        // The session is gone. 2000s are the client library's own.
        1053 | 1078..=1080 | 1152 | 1154..=1161 | 1184 | 1927 | 3032 | 3169 => {
            return Verdict::session(K::ConnectionLost);
        }
        2006 | 2013 | 2027 | 2048 | 2055 => return Verdict::session(K::ConnectionLost),
        2014 | 1835 => return Verdict::session(K::Internal), // out of sync, malformed packet
        4031 => return inactivity(report),

        // Nobody there, or not yet.
        1042 | 1043 | 1129 | 2001..=2005 | 2007 | 2009..=2012 | 2015..=2018 | 2037..=2047 => {
            return Verdict::session(K::ServerUnavailable);
        }
        2070 | 3168 => return Verdict::session(K::ServerUnavailable),
        1047 => return unknown_command(report),
        3797 | 3798 | 9001 | 9005 => K::ServerUnavailable, // group not in step, PD, region
        3100 => return Verdict::transaction(K::Internal),  // Group Replication's hook at COMMIT
        1040 | 1203 | 9501 => return Verdict::session(K::TooManyConnections), // RDS Proxy

        // A server, table or transaction that only reads.
        1036 | 1792 | 1836 | 1874 | 3989 | 4049 => K::ReadOnly,
        1881 => K::ReadOnly, // innodb_force_recovery
        1290 => option_prevents(report.message),

        // Who may come in, and do what.
        1045 | 1130 | 1251 | 1275 | 1698 | 1862 | 1873 | 2026 | 2049 | 2058..=2061 => {
            return Verdict::session(K::Authentication);
        }
        3118 | 3159 | 3955 => return Verdict::session(K::Authentication),
        4150 | 4151 if maria(report) => return Verdict::session(K::Authentication),
        1820 => K::Authentication, // set a new password first
        1044 | 1095 | 1131 | 1132 | 1142..=1145 | 1148 | 1211 | 1227 | 1370 | 1410 => K::Permission,
        1419 | 1961 | 1962 | 1979 | 3530 | 3552..=3557 | 3566 | 3619 | 3620 | 3630 | 3879 => {
            K::Permission
        }
        3948 | 4166 | 8121 => K::Permission, // LOAD DATA LOCAL is off; TiDB's privileges

        // Values.
        1162 | 1406 | 3907 | 8025 => K::DataTooLong,
        1153 | 2020 => return Verdict::session(K::DataTooLong), // max_allowed_packet
        1264 | 1441 | 1467 | 1690 | 1916 | 3155 | 3669 | 3752 => K::NumericOutOfRange,
        4084 | 4085 if maria(report) => K::NumericOutOfRange, // a sequence ran out
        4135 if report.engine == Some(Engine::TiDb) => K::NumericOutOfRange, // the same
        8030 | 8031 => K::NumericOutOfRange,                  // TiDB's casts
        1138 | 1139 | 1265 | 1292 | 1300 | 1301 | 1365 | 1366 | 1367 | 1411 | 1416 => {
            K::InvalidValue
        }
        1425..=1427 | 1526 | 1591 | 1654 | 1697 | 1737 | 1748 | 1863 => K::InvalidValue,
        1917 | 1918 | 1919 | 1921 | 1922 | 1958 | 1977 | 1978 => K::InvalidValue, // MariaDB
        3020 | 3033..=3043 | 3045..=3055 | 3064 | 3069..=3073 => K::InvalidValue, // geometry
        3140..=3149 | 3153 | 3154 | 3156 | 3158 | 3165 | 3616 | 3617 => K::InvalidValue, // JSON
        3516 | 3685..=3697 | 3700 | 3731 | 3732 | 3751 => K::InvalidValue,
        3853 | 3854 | 3903 | 3904 | 3966 | 3967 | 3988 | 3998 => K::InvalidValue,
        4024 | 4035..=4046 | 4048..=4051 | 4076 | 4103 if maria(report) => K::InvalidValue,
        8029 | 8032..=8034 | 8036 | 8129 => K::InvalidValue, // TiDB

        // Names that stand for nothing.
        1008 | 1029 | 1046 | 1049 | 1051 | 1054 | 1072 | 1082 | 1091 | 1094 | 1106 | 1109 => {
            K::UndefinedObject
        }
        1115 | 1122 | 1128 | 1133 | 1141 | 1146 | 1147 | 1176 | 1193 | 1273 | 1286 | 1298 => {
            K::UndefinedObject
        }
        1305 | 1324 | 1327 | 1356 | 1360 | 1403 | 1431 | 1449 | 1477 | 1507 | 1539 => {
            K::UndefinedObject
        }
        1649 | 1735 | 1812 | 1932 | 1939 | 1957 | 1959 | 1974 | 1976 => K::UndefinedObject,
        3162 | 3503 | 3510 | 3523 | 3548 | 3579 | 3615 | 3651 | 3734 | 3820 | 3821 | 3940 => {
            K::UndefinedObject
        }
        4081 | 4091 | 4092 | 4161 | 4162 if maria(report) => K::UndefinedObject,
        4139 if report.engine == Some(Engine::TiDb) => K::UndefinedObject, // a sequence
        8239 | 8249 => K::UndefinedObject, // TiDB: placement policy, resource group

        // Statements that are wrong whatever the data.
        1052 | 1055..=1059 | 1063..=1071 | 1073..=1075 | 1083 | 1084 | 1089 | 1090 | 1093 => {
            K::Syntax
        }
        1101..=1104 | 1107 | 1108 | 1110..=1113 | 1117 | 1118 | 1120 | 1121 | 1136 | 1140 => {
            K::Syntax
        }
        1149 | 1163 | 1164 | 1166 | 1167 | 1170 | 1171 | 1173 | 1175 | 1191 | 1204 | 1210 => {
            K::Syntax
        }
        1214 | 1221 | 1222 | 1225 | 1228..=1234 | 1238..=1241 | 1246..=1250 | 1252 | 1253 => {
            K::Syntax
        }
        1267 | 1270 | 1271 | 1283 | 1288 | 1291 | 1293 | 1294 | 1302 | 1308..=1316 => K::Syntax,
        1318..=1320 | 1322 | 1323 | 1328 | 1330..=1333 | 1336..=1338 | 1347..=1354 => K::Syntax,
        1391 | 1393..=1395 | 1407 | 1413..=1415 | 1423 | 1439 | 1458 | 1462..=1464 => K::Syntax,
        1470 | 1471 | 1473 | 1479..=1504 | 1563 | 1564 | 1582..=1584 | 1652..=1660 => K::Syntax,
        1709 | 1901 | 1903..=1905 | 1907 | 1910..=1912 | 3065 | 3066 | 3102..=3109 => K::Syntax,
        3573..=3577 | 3580..=3595 | 3601 | 3602 | 3667 | 3668 | 3753..=3765 => K::Syntax,
        3812..=3818 | 3823 | 3942 | 3943 | 3953 | 3954 => K::Syntax,
        4002..=4023 | 4074 | 4078..=4080 | 4082 | 4083 | 4099..=4102 | 4104..=4107
            if maria(report) =>
        {
            K::Syntax
        }
        4140 | 4141 | 4172 | 4177 | 4180 if maria(report) => K::Syntax,

        // Space and other limits.
        3 | 1004 | 1026 | 1878 => file_error(report.message),
        20 | 1021 | 1114 | 3019 | 3675 => K::DiskFull, // 1114 also: a MEMORY table's limit
        4139 if maria(report) => K::DiskFull,          // the index file is full
        1206 => return Verdict::transaction(K::ResourceExhausted), // locks
        8004 => return Verdict::transaction(K::ResourceExhausted), // TiDB: too large
        1135 => return Verdict::session(K::ResourceExhausted), // no thread for the session
        1226 => return resource_limit(report),
        5 | 1037 | 1038 | 1041 | 1116 | 1119 | 1197 | 1390 | 1436 | 1461 | 1637 | 1705 => {
            K::ResourceExhausted
        }
        1713 | 1799 | 1931 | 2008 | 3015 | 3044 | 3134 | 3150 | 3151 | 3157 | 3170 => {
            K::ResourceExhausted
        }
        3171 | 3186 | 3230 | 3636 | 3684 | 3698 | 3905 | 3906 | 3950 | 3985 => K::ResourceExhausted,
        8001 | 8175 | 8176 | 8252 | 8254 | 9003 | 9008 | 9013 => K::ResourceExhausted, // TiDB

        // Damage.
        1033..=1035 | 1194 | 1195 | 1459 | 1707 | 1712 | 1817 | 1877 | 3000 => K::Corruption,
        8003 | 8133 | 8134 | 8138..=8140 | 8223 => K::Corruption, // TiDB: index against rows
        8141 => return Verdict::transaction(K::Corruption),

        // The server's or the client library's own troubles.
        1 | 2 | 1013..=1018 | 1023..=1025 | 1032 | 1181 | 1296 | 1810 | 1811 | 1815 => K::Internal,
        2000 | 9010 | 9011 => K::Internal,
        1105 => return unknown_error(report.message),

        // Among others objects that exist already (1007, 1050, 1060, 1061, 1304, ...), keys and
        // foreign keys that cannot be defined or dropped (1005, 1215, 1553, 1821 to 1834,
        // 3780), commands out of place (1099, 1100, 1179, 1192, 1399, 1568), cardinality
        // (1172, 1242, 1329), what is not supported (1235, 1295), and SIGNAL (1644).
        _ => return by_sqlstate(report),
    };
    Verdict::statement(kind)
}

/// Whether a number of the 4000s, where the two number spaces overlap, is `MariaDB`'s: unless
/// the report says that the server is another one.
fn maria(report: &ErrorReport<'_>) -> bool {
    !matches!(
        report.engine,
        Some(Engine::MySql | Engine::TiDb | Engine::Aurora)
    )
}

/// For numbers without a line of their own: only the SQLSTATEs that cannot mislead.
fn by_sqlstate(report: &ErrorReport<'_>) -> Verdict {
    match report.sqlstate {
        Some("40001") => Verdict::transaction(K::SerializationFailure),
        Some("70100") => Verdict::statement(K::StatementTimeout),
        Some("25006") => Verdict::statement(K::ReadOnly),
        Some("28000") => Verdict::session(K::Authentication),
        Some("42S02" | "42S22") => Verdict::statement(K::UndefinedObject),
        _ => Verdict::statement(K::Other),
    }
}

/// 4025: `MariaDB`'s check constraint (23000), or `MySQL`'s `AUTOEXTEND_SIZE` out of range.
fn constraint_failed(report: &ErrorReport<'_>) -> Verdict {
    Verdict::statement(match report.sqlstate {
        Some("23000") => K::Check,
        None if maria(report) => K::Check,
        _ => K::Other,
    })
}

/// 4031: `MySQL` ended an idle session, or a trigger that `MariaDB` was told of does not exist.
fn inactivity(report: &ErrorReport<'_>) -> Verdict {
    if report.engine == Some(Engine::MariaDb) {
        Verdict::statement(K::UndefinedObject)
    } else {
        Verdict::session(K::SessionExpired)
    }
}

/// 1020: a row changed after it was read. `MariaDB` with `innodb_snapshot_isolation` rolls the
/// transaction back; `MySQL` does not.
fn record_changed(report: &ErrorReport<'_>) -> Verdict {
    if maria(report) {
        Verdict::transaction(K::SerializationFailure)
    } else {
        Verdict::statement(K::SerializationFailure)
    }
}

/// 1226: a limit per account; at the door it is one of connections.
fn resource_limit(report: &ErrorReport<'_>) -> Verdict {
    if report.phase == Phase::Connect {
        Verdict::session(K::TooManyConnections)
    } else {
        Verdict::statement(K::ResourceExhausted)
    }
}

/// 1047: unknown command; and a Galera node outside the primary component, whose texts are
/// never translated.
fn unknown_command(report: &ErrorReport<'_>) -> Verdict {
    if report.message.starts_with("WSREP replication failed") {
        Verdict::transaction(K::ServerUnavailable)
    } else if report.engine == Some(Engine::Galera) || report.message.starts_with("WSREP") {
        Verdict::statement(K::ServerUnavailable)
    } else {
        Verdict::statement(K::Internal)
    }
}

/// 1105: what has no number of its own, in texts that are never translated. Errors in XPATH expressions quote
/// data under it, but begin and end otherwise.
fn unknown_error(text: &str) -> Verdict {
    if text.ends_with("execution result undetermined") {
        Verdict::COMMIT_UNKNOWN // TiDB
    } else if text.starts_with("Maximum writeset size exceeded") {
        Verdict::transaction(K::ResourceExhausted) // Galera
    } else {
        Verdict::statement(K::Internal)
    }
}

/// 1290: the option named in the text decides.
fn option_prevents(text: &str) -> K {
    let option = text.split_once("--").map_or("", |(_, option)| option);
    let end = option
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .unwrap_or(option.len());
    match &option[..end] {
        "read-only" | "read_only" | "super-read-only" | "super_read_only" | "innodb-read-only"
        | "innodb_read_only" => K::ReadOnly,
        // --secure-file-priv, --skip-grant-tables, ...
        _ => K::Permission,
    }
}

/// 1180: the storage engine's or the system's error number inside decides.
fn during_commit(report: &ErrorReport<'_>) -> Verdict {
    match inner_number(report.message) {
        Some(149) => Verdict::transaction(K::SerializationFailure), // certification
        Some(28) => Verdict::new(K::DiskFull, Effect::Unknown),
        // Galera's write-set limits: refused before anything left the node.
        None if report.message.starts_with("wsrep_max_ws") => {
            Verdict::transaction(K::ResourceExhausted)
        }
        _ => Verdict::COMMIT_UNKNOWN,
    }
}

/// 1030: the handler's error number inside decides (`perror` explains them).
fn engine_error(text: &str) -> Verdict {
    match inner_number(text) {
        Some(149) => Verdict::transaction(K::Deadlock),
        Some(146) => Verdict::statement(K::LockTimeout),
        Some(123) => Verdict::statement(K::SerializationFailure), // record changed
        Some(28 | 135 | 136) => Verdict::statement(K::DiskFull),  // device, file, index
        Some(12 | 128) => Verdict::statement(K::ResourceExhausted), // out of memory
        Some(126 | 127 | 144 | 145) => Verdict::statement(K::Corruption),
        Some(165) => Verdict::statement(K::ReadOnly),
        _ => Verdict::statement(K::Internal),
    }
}

/// 1297: a temporary error of NDB, which rolls back; 266 and 274 are lock timeouts.
fn temporary_error(text: &str) -> Verdict {
    Verdict::transaction(match inner_number(text) {
        Some(266 | 274) => K::LockTimeout,
        _ => K::SerializationFailure,
    })
}

/// Errors about files end with `(Errcode: 28 "No space left on device")` or `(errno: 28 ...)`.
fn file_error(text: &str) -> K {
    let number = text
        .rsplit_once("rrcode: ")
        .or_else(|| text.rsplit_once("errno: "))
        .and_then(|(_, rest)| inner_number(rest));
    match number {
        Some(28 | 122) => K::DiskFull, // no space, quota
        _ => K::Internal,
    }
}

/// The first number of a text that holds no data.
fn inner_number(text: &str) -> Option<u32> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let digits = &text[start..];
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}
