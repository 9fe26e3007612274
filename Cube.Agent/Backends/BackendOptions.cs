using System.ComponentModel.DataAnnotations;
using Cube.Inference;
using Cube.Inference.Translation;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Backends;

/// <summary>The section <c>Backend</c>: the model server behind this agent. The agent does not start without it.</summary>
internal sealed class BackendOptions : IValidatableObject
{
    public const string Section = "Backend";

    /// <summary>The kind of the model server: a name of <see cref="BackendProtocols.All"/>, in any letter case. There is no default.</summary>
    public string Kind { get; set; } = "";

    /// <summary>The protocol of that kind; null for an unknown kind.</summary>
    public BackendProtocol? Protocol => BackendProtocols.Find(Kind.ToLowerInvariant());

    /// <summary>Whether the guide model in this process answers instead of a model server. The AppHost selects it if there is no model server.</summary>
    public bool IsGuide => Protocol == BackendProtocols.Guide;

    /// <summary>Base address of the model server, http or https. Required except for the guide model.</summary>
    public Uri? Url { get; set; }

    /// <summary>Maximum time without data from the model server within one exchange: 1 second to 1 hour. It includes loading a model.</summary>
    [SettingRange("Backend__ActivityTimeout", "00:00:01", "01:00:00")]
    public TimeSpan ActivityTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Whether administrators can change Ollama's models through this agent. The appraisal policy must allow it too.</summary>
    public bool AllowModelChanges { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Protocol is null)
        {
            yield return new ValidationResult($"Backend__Kind must be one of {string.Join(", ", BackendProtocols.All.Select(static protocol => protocol.Name))}.");
            yield break;
        }

        if (!IsGuide && Url is not { IsAbsoluteUri: true, Scheme: "http" or "https" })
        {
            yield return new ValidationResult("Backend__Url must be the http or https address of the model server.");
        }

        if (AllowModelChanges && !Protocol.Supports(BackendFeatures.OllamaApi))
        {
            yield return new ValidationResult("Backend__AllowModelChanges requires Backend__Kind=ollama.");
        }
    }
}

[OptionsValidator]
internal sealed partial class BackendOptionsValidator : IValidateOptions<BackendOptions>;
