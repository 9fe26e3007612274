namespace Cube.Inference;

/// <summary>The format of an endpoint's request bodies.</summary>
public enum BodyKind
{
    None,

    /// <summary><c>application/json</c>.</summary>
    Json,

    /// <summary><c>multipart/form-data</c>.</summary>
    Form,
}

/// <summary>A method and path of the inference API. Cube serves no other paths below a domain.</summary>
/// <param name="Name">The name in metrics, traces and logs, and the <c>operationId</c> in the OpenAPI document.</param>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">The path below the domain. A final <c>{model}</c> is a model's id, which can contain slashes and escapes.</param>
/// <param name="Permission">The permission that the caller needs in the domain; null if only platform administrators may use the endpoint.</param>
public record InferenceEndpoint(string Name, string Method, string Path, string? Permission);

/// <summary>An endpoint whose requests are forwarded to a model server.</summary>
/// <param name="Body">The format of the request body.</param>
/// <param name="Request">Translates the endpoint's requests.</param>
/// <param name="Response">Translates the endpoint's responses.</param>
public sealed record ForwardedEndpoint(string Name, string Method, string Path, string? Permission, BodyKind Body, RequestTranslator Request, ResponseTranslator Response)
    : InferenceEndpoint(Name, Method, Path, Permission)
{
    /// <summary>Whether the endpoint changes the models of the model server.</summary>
    public bool ChangesModels => Permission is null;

    /// <summary>The path of the translated request, before <see cref="BackendProtocol.PathOf"/>.</summary>
    public string BackendPath => Request.BackendPath ?? Path;
}
