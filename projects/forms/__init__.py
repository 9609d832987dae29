"""What a person may type; every rule of MTurk's stands here as a sentence at its field."""

from projects.forms.batches import BatchSettingsForm, PublishingForm, UploadForm
from projects.forms.projects import ProjectForm, TemplateForm

__all__ = ["BatchSettingsForm", "ProjectForm", "PublishingForm", "TemplateForm", "UploadForm"]
