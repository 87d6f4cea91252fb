"""Who answers a request: the control, its project's variant while an experiment runs, or the teacher for once."""

from collections.abc import Mapping

from app.serving.cascade import Cascade, TeacherFirst
from app.serving.fresh import Fresh
from app.serving.recoloring import RecolorRequest
from app.serving.variant import TEACHER, Variant, read_experiment
from app.settings import Settings
from app.students import Student
from app.teacher import Teacher


class Routing:
    """`rivals` are the students of the other variants, by their ``name@version`` in the settings.

    Raises ValueError for an experiment, or for fresh answers, that cannot be.
    """

    def __init__(self, student: Student, rivals: Mapping[str, Student], teacher: Teacher, settings: Settings) -> None:
        self._control = Cascade(student, teacher, settings)
        self._experiment = read_experiment(settings)
        students = {settings.model: student, **rivals}

        def cascade_of(variant: Variant) -> Cascade:
            if variant.model == TEACHER:
                return TeacherFirst(student, teacher, settings, variant.name)
            return Cascade(students[variant.model], teacher, settings, variant.name)

        variants = self._experiment.variants if self._experiment else ()
        self._variants = {variant.name: cascade_of(variant) for variant in variants}
        self._fresh: Fresh | None = None
        if settings.teacher_fresh_share and teacher.enabled:
            self._fresh = Fresh(student, teacher, settings)

    def experiment_of(self, request: RecolorRequest) -> str:
        """The name of the experiment that a request takes part in; empty where in none."""
        return self._experiment.name if self._experiment and request.project_id else ""

    def cascade_of(self, request: RecolorRequest) -> Cascade:
        """Where nobody can answer for a variant now, the control does. Projects of an experiment get nothing fresh."""
        if self._experiment and request.project_id:
            chosen = self._variants.get(self._experiment.variant_of(request.project_id), self._control)
            return chosen if chosen.ready else self._control
        if self._fresh and self._fresh.takes(request):
            return self._fresh
        return self._control
