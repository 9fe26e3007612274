using Cube.Identity.Configuration;
using Cube.Identity.Keys;
using Cube.ServiceDefaults.Hosting;
using Cube.Tests.Systems;
using Dapper;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace Cube.Tests.Functional.Identity;

public sealed class KeyTests(PostgresServer postgres)
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task A_key_is_rotated_at_the_end_of_its_lifetime_and_stays_published_until_its_tokens_have_expired()
    {
        await using var database = await CreateAsync();
        using var ring = Ring(database);
        await ring.RotateAsync(default);
        var first = ring.Current.Kid;

        _time.Advance(TimeSpan.FromDays(29));
        await ring.RotateAsync(default);
        Assert.Equal(first, ring.Current.Kid);

        _time.Advance(TimeSpan.FromDays(1));
        await ring.RotateAsync(default);
        Assert.NotEqual(first, ring.Current.Kid);
        Assert.Contains(first, ring.Published.Select(static key => key.Kid));

        _time.Advance(TimeSpan.FromHours(27));
        await ring.RotateAsync(default);
        Assert.DoesNotContain(first, ring.Published.Select(static key => key.Kid));
    }

    [Fact]
    public async Task Replicas_that_start_together_share_one_key()
    {
        await using var database = await CreateAsync();
        var rings = Enumerable.Range(0, 5).Select(_ => Ring(database)).ToArray();
        await Task.WhenAll(rings.Select(static ring => ring.RotateAsync(default)));
        Assert.Single(rings.Select(static ring => ring.Current.Kid).Distinct());
    }

    [Fact]
    public async Task A_stored_private_key_cannot_be_used_without_the_secret()
    {
        await using var database = await CreateAsync();
        using var ring = Ring(database);
        await ring.RotateAsync(default);
        await using var connection = await database.OpenConnectionAsync();
        var stored = await connection.QuerySingleAsync<byte[]>("select private_key from signing_keys");
        using var key = System.Security.Cryptography.ECDsa.Create();
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() => key.ImportPkcs8PrivateKey(stored, out _));

        using var other = Ring(database, "another secret of the tests");
        await Assert.ThrowsAsync<SettingException>(() => other.RotateAsync(default));
    }

    private KeyRing Ring(NpgsqlDataSource database, string secret = "a secret of the tests") =>
        new(database, Options.Create(new IdentityOptions { KeyEncryptionSecret = secret }), _time);

    private async Task<NpgsqlDataSource> CreateAsync()
    {
        var database = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
        await using var connection = await database.OpenConnectionAsync();
        await connection.ExecuteAsync("create table signing_keys (kid text primary key, private_key bytea not null, created_at timestamptz not null)");
        return database;
    }
}
