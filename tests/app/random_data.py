"""What happens to data sets at random."""

from msgspec.structs import replace

from eisbach.app import (
    announce_data_set,
    copy_data_set,
    delete_data_set,
)
from eisbach.app.announce_data_set import NewDataSet
from eisbach.app.commands import SYSTEM
from eisbach.app.data_shelves import shelf_of
from eisbach.app.rounds import Round
from eisbach.app.state_data import Stage
from eisbach.app.tend_data_sets import tend_data_sets
from tests.app.random_engine import FURTHER
from tests.app.random_story import RandomStory


class RandomData(RandomStory):
    """What happens to data sets at random."""

    def upload(self) -> str:
        """Somebody begins to upload, or goes on; more often than not to the end."""
        app, project = self.factory.app, self.chance.choice(self.projects)
        new = NewDataSet(name="a.csv", size=self.chance.randint(1, 3000), keep_days=self.chance.choice([None, None, 1]))
        if self.chance.random() < 0.7:
            self.factory.perform(announce_data_set.command(SYSTEM, project=project, new=new, limits=app.data_limits))
        coming = [one for one in app.applier.state.data.sets.values() if one.stage is Stage.UPLOADING]
        if not coming:
            return "nothing"
        one = replace(self.chance.choice(coming))
        shelf = shelf_of(app, one.project, one.places[0])
        with app.objects.append(shelf, one.data_set, one.size) as incoming:
            rest = one.size - incoming.offset
            incoming.write(bytes(rest if self.chance.random() < 0.7 else self.chance.randint(0, rest)))
        return self.tend_data()

    def a_data_set(self) -> str:
        known = sorted(self.factory.app.applier.state.data.sets)
        return self.chance.choice(known) if known else "dset_none"

    def copy_data(self) -> str:
        app = self.factory.app
        ready = sorted(one.data_set for one in app.applier.state.data.sets.values() if one.stage is Stage.READY)
        data_set = self.chance.choice(ready) if ready else "dset_none"
        site = self.chance.choice([self.factory.site.site, FURTHER.site, FURTHER.site])
        self.factory.perform(copy_data_set.command(SYSTEM, data_set=data_set, site=site, limits=app.data_limits))
        return f"{data_set} {site} " + (self.tend_data() if self.chance.random() < 0.7 else "")

    def delete_data(self) -> str:
        data_set = self.a_data_set()
        self.factory.perform(delete_data_set.command(SYSTEM, data_set=data_set))
        return data_set

    def tend_data(self) -> str:
        self.factory.run_rounds(Round("tend-data-sets", 1, tend_data_sets))
        return ""
