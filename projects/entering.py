"""What the statements that move money share. They write the ledger themselves, so that it can never say anything else."""

from mturkhub.accounts.actors import Actor

# Who has moved money where no person and no rule of ours has.
MARKET = Actor.system("what the market says")

# The beginning of every entry; a select of just these columns follows.
ENTER = """
    insert into projects_ledgerentry (
        team_id, connection_id, batch_id, hit_id, assignment_id, bonus_id, worker_id, kind, amount, fee, answers,
        reason, at, by_id, by_rule
    )
"""
