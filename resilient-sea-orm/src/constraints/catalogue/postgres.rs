//! PostgreSQL: `pg_catalog`.

use resilient_core::constraint::Catalogue;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::{Query, Which, rows::assemble};

/// For each table what is on it; every branch is a look-up by an index of the catalogue.
///
/// Unique keys, with or without a constraint, are read from their indexes, whose name is the one
/// in errors. Foreign keys that PostgreSQL adds by itself, one for each partition of the parent,
/// are told by `conparentid` on the same table; errors name them, so they stay.
///
/// An index whose concurrent creation has failed still refuses duplicates, but serves no look-up:
/// it is a constraint, if it is unique, and not an index.
const ITEMS: &str = "
SELECT n.nspname::text AS schema_name, c.relname::text AS table_name, i.item, i.name, i.mark,
       i.pos, i.column_name, i.expression, i.parent_schema, i.parent, i.parent_column,
       i.condition_text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT 'table' AS item, NULL::text AS name,
         CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN 'y' END AS mark, NULL::text AS pos,
         NULL::text AS column_name, NULL::text AS expression, NULL::text AS parent_schema,
         NULL::text AS parent, NULL::text AS parent_column, NULL::text AS condition_text
  UNION ALL
  SELECT 'partition', NULL, NULL, NULL, NULL, NULL, rn.nspname::text, r.relname::text, NULL,
         NULL
  FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  WHERE c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid)
  UNION ALL
  SELECT 'trigger', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
  UNION ALL
  SELECT 'column', NULL, CASE WHEN NOT a.attnotnull THEN 'y' END, a.attnum::text,
         a.attname::text, NULL, NULL, NULL, NULL, NULL
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT CASE WHEN x.indisexclusion THEN 'exclusion' WHEN x.indisprimary THEN 'primary'
              ELSE 'unique' END,
         ic.relname::text, CASE WHEN x.indpred IS NOT NULL THEN 'y' END, k.pos::text,
         a.attname::text,
         CASE WHEN k.attnum = 0 THEN pg_catalog.pg_get_indexdef(x.indexrelid, k.pos::int, false) END,
         NULL, NULL, NULL, NULL
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class ic ON ic.oid = x.indexrelid
  CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, pos)
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum AND a.attnum <> 0
  WHERE x.indrelid = c.oid AND (x.indisunique OR x.indisexclusion) AND x.indislive
    AND k.pos <= x.indnkeyatts
  UNION ALL
  SELECT 'index', ic.relname::text, CASE WHEN x.indisunique THEN 'y' END, k.pos::text,
         a.attname::text, NULL, NULL, NULL, NULL,
         pg_catalog.pg_get_expr(x.indpred, x.indrelid)
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class ic ON ic.oid = x.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = ic.relam AND m.amname IN ('btree', 'hash')
  CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, pos)
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum AND a.attnum <> 0
  WHERE x.indrelid = c.oid AND x.indisvalid AND k.pos <= x.indnkeyatts
  UNION ALL
  SELECT CASE o.contype WHEN 'f' THEN 'foreign_key' ELSE 'check' END, o.conname::text, NULL,
         k.pos::text, a.attname::text, NULL, rn.nspname::text, r.relname::text, ra.attname::text,
         NULL
  FROM pg_catalog.pg_constraint o
  LEFT JOIN LATERAL unnest(o.conkey, o.confkey) WITH ORDINALITY AS k(own, parents, pos) ON true
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.own
  LEFT JOIN pg_catalog.pg_class r ON r.oid = o.confrelid
  LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_attribute ra ON ra.attrelid = o.confrelid AND ra.attnum = k.parents
  WHERE o.conrelid = c.oid AND o.contype IN ('c', 'f')
) i
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND (n.nspname !~ '^(pg_|information_schema$)' OR n.oid = pg_catalog.pg_my_temp_schema())";

pub(super) async fn load(db: &impl ConnectionTrait, which: Which<'_>) -> Result<Catalogue, DbErr> {
    let mut query = Query::new(DbBackend::Postgres);
    query.push(ITEMS);
    if let Which::Tables(tables) = which {
        query.push(" AND ").any(tables, |query, (schema, table)| {
            query.push("(c.relname = ").value(table).push(" AND ");
            match schema {
                Some(schema) => query.push("n.nspname = ").value(schema),
                None => query.push("pg_catalog.pg_table_is_visible(c.oid)"),
            };
            query.push(")");
        });
    }
    Ok(assemble(query.rows(db).await?))
}
