using System.ComponentModel.DataAnnotations;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Configuration;

/// <summary>The section <c>Identity</c>.</summary>
internal sealed class IdentityOptions
{
    public const string Section = "Identity";

    /// <summary>The lifetime of an access token, from 10 seconds to 1 day.</summary>
    [SettingRange("Identity__AccessTokenLifetime", "00:00:10", "1.00:00:00")]
    public TimeSpan AccessTokenLifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>The lifetime of a refresh token, from 10 seconds to 90 days.</summary>
    [SettingRange("Identity__RefreshTokenLifetime", "00:00:10", "90.00:00:00")]
    public TimeSpan RefreshTokenLifetime { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long a key signs tokens before it is rotated, from 1 minute to 1 year. An old key stays published until every token that it signed has expired.</summary>
    [SettingRange("Identity__SigningKeyLifetime", "00:01:00", "365.00:00:00")]
    public TimeSpan SigningKeyLifetime { get; set; } = TimeSpan.FromDays(30);

    /// <summary>The secret that encrypts the private signing keys in the database, at least 16 characters.</summary>
    [Required(ErrorMessage = "Identity__KeyEncryptionSecret is not set. It encrypts the signing keys in the database.")]
    [MinLength(16, ErrorMessage = "Identity__KeyEncryptionSecret must have at least 16 characters.")]
    public string KeyEncryptionSecret { get; set; } = "";

    /// <summary>Whether anonymous callers may create accounts. The user must verify the e-mail address before the first login.</summary>
    public bool SelfRegistration { get; set; }

    /// <summary>How long the row of a deleted user is kept, from 1 hour to 10 years.</summary>
    [SettingRange("Identity__DeletedUserRetention", "01:00:00", "3650.00:00:00")]
    public TimeSpan DeletedUserRetention { get; set; } = TimeSpan.FromDays(30);

    /// <summary>The most domains, not counting deleted ones, that a user may have created: 1 to 10000. Administrators of the platform have no limit.</summary>
    [SettingRange("Identity__MaxDomainsPerUser", 1, 10_000)]
    public int MaxDomainsPerUser { get; set; } = 10;

    /// <summary>The most requests that verify or hash a password at the same time: 1 to 64, or 0 for the number of processors.</summary>
    [SettingRange("Identity__PasswordsAtOnce", 0, 64)]
    public int PasswordsAtOnce { get; set; }

    /// <summary>The most password requests that wait: 1 to 10000. Further requests are answered with 503.</summary>
    [SettingRange("Identity__PasswordsWaiting", 1, 10_000)]
    public int PasswordsWaiting { get; set; } = 256;

    /// <summary>The most password requests of one client address that wait: 1 to 10000. Further requests are answered with 429.</summary>
    [SettingRange("Identity__PasswordsWaitingPerAddress", 1, 10_000)]
    public int PasswordsWaitingPerAddress { get; set; } = 32;

    /// <summary>The most wrong passwords per minute from one client address, for all accounts together: 10 to 100000.</summary>
    [SettingRange("Identity__LoginFailuresPerAddress", 10, 100_000)]
    public int LoginFailuresPerAddress { get; set; } = 100;

    /// <summary>The e-mail address of the administrator that is created when the platform has none; empty for none.</summary>
    public string AdminEmail { get; set; } = "";

    /// <summary>The password of that administrator.</summary>
    public string AdminPassword { get; set; } = "";

    /// <summary>The name and route of a domain that is created for that administrator; empty for none. The setting is named <c>FirstDomain</c>.</summary>
    [ConfigurationKeyName("FirstDomain")]
    public string SeedDomain { get; set; } = "";

    /// <summary>The networks, in CIDR notation, whose <c>X-Forwarded-For</c> header is trusted, in addition to loopback.</summary>
    public string[] TrustedProxies { get; set; } = [];
}

[OptionsValidator]
internal sealed partial class IdentityOptionsValidator : IValidateOptions<IdentityOptions>;
