"""The secrets behind the lake's pseudonyms, and Iceberg's catalog in a schema of its own."""

from alembic import op

from migrations.shared import tenant_table

revision = "analytics_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        "lake_learners",
        'learner text COLLATE "C" NOT NULL',
        "secret bytea NOT NULL",
        "PRIMARY KEY (organization_id, learner)",
    )
    # The catalog belongs to the platform and not to organizations; its tables are those of Iceberg's JDBC catalog, so that Spark and Trino
    # can use it, too.
    op.execute("CREATE SCHEMA lake_catalog")
    op.execute("""
        CREATE TABLE lake_catalog.iceberg_tables (
            catalog_name varchar(255) NOT NULL,
            table_namespace varchar(255) NOT NULL,
            table_name varchar(255) NOT NULL,
            metadata_location varchar(1000),
            previous_metadata_location varchar(1000),
            iceberg_type varchar(5),
            PRIMARY KEY (catalog_name, table_namespace, table_name)
        )""")
    op.execute("""
        CREATE TABLE lake_catalog.iceberg_namespace_properties (
            catalog_name varchar(255) NOT NULL,
            namespace varchar(255) NOT NULL,
            property_key varchar(255) NOT NULL,
            property_value varchar(1000),
            PRIMARY KEY (catalog_name, namespace, property_key)
        )""")
    op.execute("GRANT USAGE ON SCHEMA lake_catalog TO paideia_analytics")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA lake_catalog TO paideia_analytics")


def downgrade() -> None:
    op.execute("DROP SCHEMA lake_catalog CASCADE")
    op.execute("DROP TABLE lake_learners")
