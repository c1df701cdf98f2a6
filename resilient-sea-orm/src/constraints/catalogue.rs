use resilient_core::constraint::Catalogue;
pub(crate) enum Which<'a> {
    All,
    Tables(&'a [(Option<&'a str>, &'a str)]),
}
pub(crate) async fn load(
    _db: &impl sea_orm::ConnectionTrait,
    _which: Which<'_>,
) -> Result<Catalogue, sea_orm::DbErr> {
    Ok(Catalogue::default())
}
