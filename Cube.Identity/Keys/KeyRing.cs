using System.Security.Cryptography;
using Cube.Identity.Configuration;
using Cube.ServiceDefaults.Hosting;
using Dapper;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using Npgsql;

namespace Cube.Identity.Keys;

/// <summary>
/// The signing keys of this deployment. They live in PostgreSQL, encrypted; the newest signs, the others stay published as long as
/// something that they signed can still be good. Replicas share them and notice a new one when they meet its <c>kid</c>.
/// </summary>
internal sealed class KeyRing(NpgsqlDataSource database, IOptions<IdentityOptions> options, TimeProvider time) : IDisposable
{
    private static readonly PbeParameters Encryption = new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 100_000);

    /// <summary>Rotation is one replica's work: a number of our own for <c>pg_advisory_xact_lock</c>.</summary>
    private const long RotationLock = 0x43756265_00000002;

    private readonly SemaphoreSlim _loading = new(1, 1);
    private volatile SigningKey[] _keys = [];
    private DateTimeOffset _loadedAt = DateTimeOffset.MinValue;

    /// <summary>Newest first.</summary>
    public IReadOnlyList<SigningKey> Published => _keys;

    public SigningKey Current => _keys is [var newest, ..] ? newest : throw new InvalidOperationException("There is no signing key.");

    public IEnumerable<SecurityKey> PublicKeys => _keys.Select(static key => key.Security);

    /// <summary>Makes the next key when the current one has signed long enough, forgets those that nothing depends on, and loads the rest.</summary>
    public async Task RotateAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var settings = options.Value;
        await using (var connection = await database.OpenConnectionAsync(ct))
        await using (var transaction = await connection.BeginTransactionAsync(ct))
        {
            await connection.ExecuteAsync("select pg_advisory_xact_lock(@RotationLock)", new { RotationLock }, transaction);
            var newest = await connection.QuerySingleAsync<DateTime?>("select max(created_at) from signing_keys", transaction: transaction);
            if (newest is not { } made || made + settings.SigningKeyLifetime <= now.UtcDateTime)
            {
                using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                await connection.ExecuteAsync(
                    "insert into signing_keys (kid, private_key, created_at) values (@Kid, @PrivateKey, @Now)",
                    new { Kid = Kid(key), PrivateKey = key.ExportEncryptedPkcs8PrivateKey(settings.KeyEncryptionSecret, Encryption), Now = now },
                    transaction);
            }

            var unneeded = now - settings.SigningKeyLifetime - settings.RefreshTokenLifetime - settings.AccessTokenLifetime - TimeSpan.FromHours(1);
            await connection.ExecuteAsync("delete from signing_keys where created_at < @unneeded", new { unneeded }, transaction);
            await transaction.CommitAsync(ct);
        }

        await LoadAsync(ct);
    }

    /// <summary>Another replica may have rotated: looks again, but not more than once in five seconds, whatever callers send.</summary>
    public async Task ReloadForUnknownAsync(string? kid, CancellationToken ct)
    {
        if (kid is null || _keys.Any(key => key.Kid == kid) || time.GetUtcNow() - _loadedAt < TimeSpan.FromSeconds(5))
        {
            return;
        }

        await LoadAsync(ct);
    }

    private async Task LoadAsync(CancellationToken ct)
    {
        await _loading.WaitAsync(ct);
        try
        {
            await using var connection = await database.OpenConnectionAsync(ct);
            var rows = await connection.QueryAsync<(string Kid, byte[] PrivateKey)>("select kid, private_key from signing_keys order by created_at desc");
            _keys = [.. rows.Select(row => _keys.FirstOrDefault(key => key.Kid == row.Kid) ?? Open(row.Kid, row.PrivateKey))];
            _loadedAt = time.GetUtcNow();
        }
        finally
        {
            _loading.Release();
        }
    }

    private SigningKey Open(string kid, byte[] encrypted)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportEncryptedPkcs8PrivateKey(options.Value.KeyEncryptionSecret, encrypted, out _);
            return new SigningKey(kid, key);
        }
        catch (CryptographicException)
        {
            key.Dispose();
            throw new SettingException(
                "Identity__KeyEncryptionSecret cannot decrypt the signing keys in the database. Set the secret that encrypted them.");
        }
    }

    /// <summary>RFC 7638 thumbprint, so that a kid is bound to its key.</summary>
    private static string Kid(ECDsa key) =>
        Base64UrlEncoder.Encode(JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new ECDsaSecurityKey(key)).ComputeJwkThumbprint());

    public void Dispose() => _loading.Dispose();
}

/// <summary>One P-256 key. Lives as long as the process: a request may be signing with it at any time.</summary>
internal sealed class SigningKey(string kid, ECDsa key)
{
    public string Kid => kid;

    public ECDsaSecurityKey Security { get; } = new(key) { KeyId = kid };

    public ECParameters Public => key.ExportParameters(includePrivateParameters: false);
}
