using System.Security.Cryptography;
using Cube.Identity.Configuration;
using Cube.ServiceDefaults.Hosting;
using Dapper;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using Npgsql;

namespace Cube.Identity.Keys;

/// <summary>
/// The signing keys of this deployment, stored encrypted in PostgreSQL. The newest key signs. Older keys stay published until every token
/// that they signed has expired. Replicas share the keys and reload them when a token has an unknown <c>kid</c>.
/// </summary>
internal sealed class KeyRing(NpgsqlDataSource database, IOptions<IdentityOptions> options, TimeProvider time) : IDisposable
{
    private static readonly PbeParameters Encryption = new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 100_000);

    /// <summary>The advisory lock that serializes rotation among replicas.</summary>
    private const long RotationLock = 0x43756265_00000002;

    private readonly SemaphoreSlim _loading = new(1, 1);
    private volatile SigningKey[] _keys = [];
    private DateTimeOffset _loadedAt = DateTimeOffset.MinValue;

    /// <summary>Newest first.</summary>
    public IReadOnlyList<SigningKey> Published => _keys;

    public SigningKey Current => _keys is [var newest, ..] ? newest : throw new InvalidOperationException("There is no signing key.");

    public IEnumerable<SecurityKey> PublicKeys => _keys.Select(static key => key.Security);

    /// <summary>Creates a key when the current one has reached its lifetime, deletes expired keys and reloads the others.</summary>
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

    /// <summary>Reloads the keys for an unknown <c>kid</c>, because another replica may have rotated them; at most once in five seconds.</summary>
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

    /// <summary>The RFC 7638 thumbprint of the key.</summary>
    private static string Kid(ECDsa key) =>
        Base64UrlEncoder.Encode(JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new ECDsaSecurityKey(key)).ComputeJwkThumbprint());

    public void Dispose() => _loading.Dispose();
}

/// <summary>A P-256 key. It is never disposed, because a request may be signing with it at any time.</summary>
internal sealed class SigningKey(string kid, ECDsa key)
{
    public string Kid => kid;

    public ECDsaSecurityKey Security { get; } = new(key) { KeyId = kid };

    public ECParameters Public => key.ExportParameters(includePrivateParameters: false);
}
