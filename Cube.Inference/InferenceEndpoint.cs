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
public record InferenceEndpoint(string Name, string Method, string Path, string? Permission)
{
    /// <summary>What a model server must support to serve the endpoint.</summary>
    public virtual BackendFeatures RequiredFeatures { get; init; }

    /// <summary>The path that the model server is asked at, before the differences of its kind. By default the endpoint's own.</summary>
    public virtual string BackendPath { get; init; } = Path;
}

/// <summary>An endpoint whose requests are forwarded to a model server.</summary>
/// <param name="Body">The format of the request body.</param>
/// <param name="Request">Translates the endpoint's requests.</param>
/// <param name="Response">Translates the endpoint's responses.</param>
public sealed record ForwardedEndpoint(string Name, string Method, string Path, string? Permission, BodyKind Body, RequestTranslator Request, ResponseTranslator Response)
    : InferenceEndpoint(Name, Method, Path, Permission)
{
    /// <summary>Whether the endpoint changes the models of the model server.</summary>
    public bool ChangesModels => Permission is null;

    public override BackendFeatures RequiredFeatures => Request.RequiredFeatures;

    public override string BackendPath => Request.BackendPath ?? Path;
}
