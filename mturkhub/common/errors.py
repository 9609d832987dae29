"""The one exception by which any room says no to a person."""


class ActionRefused(Exception):
    """A refusal whose text is a sentence fit for the person: what happened, where, what to do.

    `status` is the HTTP status of the answer that carries it: 409 for a state that forbids, 403 for a missing
    right, 400 for input that cannot be used.
    """

    def __init__(self, sentence: str, *, status: int = 409) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status
