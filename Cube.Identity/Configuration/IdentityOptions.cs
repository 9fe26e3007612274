using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Configuration;

/// <summary>The section <c>Identity</c>.</summary>
internal sealed class IdentityOptions
{
    public const string Section = "Identity";

    /// <summary>How long an access token is good for: 10 seconds to 1 day.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "1.00:00:00", ErrorMessage = "Identity__AccessTokenLifetime must be between 00:00:10 and 1.00:00:00.")]
    public TimeSpan AccessTokenLifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long a refresh token is good for: 10 seconds to 90 days.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "90.00:00:00", ErrorMessage = "Identity__RefreshTokenLifetime must be between 00:00:10 and 90.00:00:00.")]
    public TimeSpan RefreshTokenLifetime { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long a key signs before the next one takes over: 1 minute to 1 year. Old keys stay published until nothing they signed is good.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "365.00:00:00", ErrorMessage = "Identity__SigningKeyLifetime must be between 00:01:00 and 365.00:00:00.")]
    public TimeSpan SigningKeyLifetime { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Encrypts the private signing keys at rest, at least 16 characters.</summary>
    [Required(ErrorMessage = "Identity__KeyEncryptionSecret is not set: it encrypts the signing keys in the database.")]
    [MinLength(16, ErrorMessage = "Identity__KeyEncryptionSecret must have at least 16 characters.")]
    public string KeyEncryptionSecret { get; set; } = "";

    /// <summary>Whether anybody may make an account for himself. Such accounts must be verified before they can log in.</summary>
    public bool SelfRegistration { get; set; }

    /// <summary>How long what is known of a deleted user is kept: 1 hour to 10 years.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "3650.00:00:00", ErrorMessage = "Identity__DeletedUserRetention must be between 01:00:00 and 3650.00:00:00.")]
    public TimeSpan DeletedUserRetention { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How many domains a user who is no administrator of the platform may have created that are not deleted: 1 to 10000.</summary>
    [Range(1, 10_000, ErrorMessage = "Identity__MaxDomainsPerUser must be between 1 and 10000.")]
    public int MaxDomainsPerUser { get; set; } = 10;

    /// <summary>How many requests that check or hash a password are carried out at once: 1 to 64, or 0 for the number of processors.</summary>
    [Range(0, 64, ErrorMessage = "Identity__PasswordsAtOnce must be between 0 and 64.")]
    public int PasswordsAtOnce { get; set; }

    /// <summary>How many of them may wait: 1 to 10000. More are answered with 503.</summary>
    [Range(1, 10_000, ErrorMessage = "Identity__PasswordsWaiting must be between 1 and 10000.")]
    public int PasswordsWaiting { get; set; } = 256;

    /// <summary>How many of them may wait for one client address: 1 to 10000. More are answered with 429.</summary>
    [Range(1, 10_000, ErrorMessage = "Identity__PasswordsWaitingPerAddress must be between 1 and 10000.")]
    public int PasswordsWaitingPerAddress { get; set; } = 32;

    /// <summary>How many wrong passwords one client address may send within a minute, for all accounts together: 10 to 100000.</summary>
    [Range(10, 100_000, ErrorMessage = "Identity__LoginFailuresPerAddress must be between 10 and 100000.")]
    public int LoginFailuresPerAddress { get; set; } = 100;

    /// <summary>First administrator, made where there is none yet.</summary>
    public string AdminEmail { get; set; } = "";

    /// <summary>The first administrator's password.</summary>
    public string AdminPassword { get; set; } = "";

    /// <summary>A domain made together with the first administrator, so that a first chat needs no set-up; empty for none.</summary>
    [ConfigurationKeyName("FirstDomain")]
    public string SeedDomain { get; set; } = "";

    /// <summary>Networks (CIDR) of the proxies whose <c>X-Forwarded-For</c> counts. Loopback always does.</summary>
    public string[] TrustedProxies { get; set; } = [];
}

[OptionsValidator]
internal sealed partial class IdentityOptionsValidator : IValidateOptions<IdentityOptions>;
