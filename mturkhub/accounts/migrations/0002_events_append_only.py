from django.db import migrations

# TRUNCATE stays possible: it takes the table's owner, and empties a test database between tests.
_FORBID = """
    create function accounts_event_stays() returns trigger language plpgsql as $$
    begin
        raise exception 'Events are never changed or deleted: write a new one.';
    end $$;
    create trigger event_is_append_only before update or delete on accounts_event
        for each row execute function accounts_event_stays();
"""
_ALLOW = """
    drop trigger event_is_append_only on accounts_event;
    drop function accounts_event_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunSQL(_FORBID, _ALLOW)]
