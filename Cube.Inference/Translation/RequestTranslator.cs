namespace Cube.Inference.Translation;

/// <summary>Translates the request of one endpoint for model servers.</summary>
public abstract class RequestTranslator
{
    /// <summary>What a model server must support to serve the endpoint.</summary>
    public virtual BackendFeatures RequiredFeatures => BackendFeatures.None;

    /// <summary>The path in OpenAI's API that model servers are asked at; null for the endpoint's own.</summary>
    public virtual string? BackendPath => null;

    /// <summary>Members as the model server's request names them, with the name that the client's request has for each.</summary>
    public virtual IReadOnlyList<(string Backend, string Client)> ParameterNames => [];

    /// <summary>Names what is wrong with a request as the client's request does, whatever the model server was asked.</summary>
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
