namespace Cube.Inference.Translation;

/// <summary>Translates the request of one endpoint for model servers.</summary>
public abstract class RequestTranslator
{
    /// <summary>The features that a model server must support to serve the endpoint.</summary>
    public virtual BackendFeatures RequiredFeatures => BackendFeatures.None;

    /// <summary>The path in OpenAI's API to which the request is sent; null for the endpoint's own path.</summary>
    public virtual string? BackendPath => null;

    /// <summary>The names of members that differ between the model server's request and the client's.</summary>
    public virtual IReadOnlyList<(string Backend, string Client)> ParameterNames => [];

    /// <summary>Replaces the names of the model server's members in an error with those of the client's request.</summary>
    public OpenAiError ForClient(OpenAiError error)
    {
        if (error.Param is { } param)
        {
            foreach (var (backend, client) in ParameterNames)
            {
                if (param.StartsWith(backend, StringComparison.Ordinal))
                {
                    return error with { Param = client + param[backend.Length..], Message = error.Message.Replace($"'{backend}", $"'{client}", StringComparison.Ordinal) };
                }
            }
        }

        return error;
    }
}
