using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Backends;

internal enum BackendKind
{
    Unset,
    Ollama,
    Vllm,

    /// <summary>The guide model in this process. The AppHost selects it if there is no model server.</summary>
    Guide,
}

/// <summary>The section <c>Backend</c>: the model server behind this agent. The agent does not start without it.</summary>
internal sealed class BackendOptions
{
    public const string Section = "Backend";

    /// <summary><c>ollama</c>, <c>vllm</c> or <c>guide</c>.</summary>
    [RegularExpression("(?i)^(ollama|vllm|guide)$", ErrorMessage = "Backend__Kind must be ollama, vllm or guide.")]
    [Required(ErrorMessage = "Backend__Kind must be ollama, vllm or guide.")]
    public string Kind { get; set; } = "";

    public BackendKind ParsedKind => Kind.ToLowerInvariant() switch
    {
        "ollama" => BackendKind.Ollama,
        "vllm" => BackendKind.Vllm,
        "guide" => BackendKind.Guide,
        _ => BackendKind.Unset,
    };

    /// <summary>Base address of the model server, http or https. Required except for the guide model.</summary>
    public Uri? Url { get; set; }

    /// <summary>Maximum time without data from the model server within one exchange: 1 second to 1 hour. It includes loading a model.</summary>
    public TimeSpan ActivityTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Whether administrators can change Ollama's models through this agent. The appraisal policy must allow it too.</summary>
    public bool AllowModelChanges { get; set; }
}

[OptionsValidator]
internal sealed partial class BackendOptionsValidator : IValidateOptions<BackendOptions>;

/// <summary>Rules across fields, and time spans: the generated validator ignores the error message of a range of <see cref="TimeSpan"/>.</summary>
internal sealed class BackendOptionsCustomValidator : IValidateOptions<BackendOptions>
{
    public ValidateOptionsResult Validate(string? name, BackendOptions options)
    {
        var errors = new ValidateOptionsResultBuilder();
        if (options.ParsedKind is BackendKind.Ollama or BackendKind.Vllm && options.Url is not { IsAbsoluteUri: true, Scheme: "http" or "https" })
        {
            errors.AddError("Backend__Url must be the http or https address of the model server.");
        }

        if (options.ActivityTimeout < TimeSpan.FromSeconds(1) || options.ActivityTimeout > TimeSpan.FromHours(1))
        {
            errors.AddError("Backend__ActivityTimeout must be between 00:00:01 and 01:00:00.");
        }

        if (options.AllowModelChanges && options.ParsedKind != BackendKind.Ollama)
        {
            errors.AddError("Backend__AllowModelChanges requires Backend__Kind=ollama.");
        }

        return errors.Build();
    }
}
