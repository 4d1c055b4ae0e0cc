"""What every store of accounts promises, and every revision, and every hasher of passwords."""

from pathlib import Path

import pytest

from backend.adapters.passwords import Argon2Hasher
from backend.adapters.revision import FileRevision
from backend.adapters.storage.account_storage import SqlAccounts
from backend.testing.accounts import (
    AccountsSpec,
    PasswordHasherSpec,
    RevisionSpec,
    TransientRevision,
)
from tests.databases import Rows


class TestSqlAccounts(AccountsSpec):
    @pytest.fixture
    def accounts(self, rows: Rows) -> SqlAccounts:
        return SqlAccounts(rows.database())


class TestArgon2Hasher(PasswordHasherSpec):
    @pytest.fixture
    def hasher(self) -> Argon2Hasher:
        return Argon2Hasher()

    def test_a_hash_of_weaker_settings_is_outdated(self, hasher: Argon2Hasher) -> None:
        weak = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$" + "A" * 43

        assert hasher.is_outdated(weak)


class TestTransientRevision(RevisionSpec):
    @pytest.fixture
    def revision(self) -> TransientRevision:
        return TransientRevision()


class TestFileRevision(RevisionSpec):
    @pytest.fixture
    def revision(self, tmp_path: Path) -> FileRevision:
        return FileRevision(tmp_path / "accounts.revision")

    def test_another_process_sees_it_change(self, revision: FileRevision, tmp_path: Path) -> None:
        other = FileRevision(tmp_path / "accounts.revision")
        before = other.current()

        revision.change()

        assert other.current() == revision.current() != before

    def test_only_its_owner_reads_it(self, tmp_path: Path) -> None:
        FileRevision(tmp_path / "accounts.revision")

        assert (tmp_path / "accounts.revision").stat().st_mode & 0o777 == 0o600
