using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Authorization.SpiceDb;

/// <summary>The section <c>Authorization</c>.</summary>
internal sealed class AuthorizationOptions
{
    public const string Section = "Authorization";
    public const string EmbeddedName = "embedded";
    public const string SpiceDbName = "spicedb";

    private const string EngineMessage = "Authorization__Engine must be spicedb or embedded.";

    private const string KeyMessage =
        "Authorization__Key must have at least 16 characters, all of them letters, digits or -._~+/=. It opens the store of the authorization engine.";

    /// <summary>Which engine decides: <c>spicedb</c>, or <c>embedded</c> for the engine that Identity serves.</summary>
    [Required(ErrorMessage = EngineMessage)]
    [RegularExpression("spicedb|embedded", ErrorMessage = EngineMessage)]
    public string Engine { get; set; } = "";

    /// <summary>The bearer key of Cube's store: at least 16 of the characters that a bearer token may contain (RFC 6750, section 2.1).</summary>
    [Required(ErrorMessage = KeyMessage)]
    [RegularExpression("[A-Za-z0-9._~+/=-]{16,}", ErrorMessage = KeyMessage)]
    public string Key { get; set; } = "";

    public bool IsEmbedded => Engine == EmbeddedName;
}

[OptionsValidator]
internal sealed partial class AuthorizationOptionsValidator : IValidateOptions<AuthorizationOptions>;
