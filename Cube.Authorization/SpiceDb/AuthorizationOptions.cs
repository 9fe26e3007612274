using System.Buffers;
using Microsoft.Extensions.Options;

namespace Cube.Authorization.SpiceDb;

/// <summary>The section <c>Authorization</c>.</summary>
internal sealed class AuthorizationOptions
{
    public const string Section = "Authorization";

    /// <summary>Which engine decides: <c>spicedb</c>, or <c>embedded</c> for the engine that Identity serves.</summary>
    public string Engine { get; set; } = "";

    /// <summary>Opens Cube's store. At least 16 characters, of those that a bearer token may have.</summary>
    public string Key { get; set; } = "";

    public bool IsEmbedded => Engine == EmbeddedName;

    public const string EmbeddedName = "embedded";
    public const string SpiceDbName = "spicedb";
}

internal sealed class AuthorizationOptionsValidator : IValidateOptions<AuthorizationOptions>
{
    private const int MinKey = 16;

    /// <summary>What a bearer token may consist of (RFC 6750, section 2.1).</summary>
    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=");

    public ValidateOptionsResult Validate(string? name, AuthorizationOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (options.Engine is not (AuthorizationOptions.SpiceDbName or AuthorizationOptions.EmbeddedName))
        {
            faults.AddError("Authorization__Engine must be spicedb or embedded.");
        }

        if (options.Key.Length < MinKey || options.Key.AsSpan().ContainsAnyExcept(Allowed))
        {
            faults.AddError(
                $"Authorization__Key must have at least {MinKey} characters, letters, digits and -._~+/= alone: it opens the store of the authorization engine.");
        }

        return faults.Build();
    }
}
