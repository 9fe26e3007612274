namespace Cube.Inference;

/// <summary>The body of an endpoint's requests.</summary>
public enum BodyKind
{
    None,

    /// <summary><c>application/json</c>.</summary>
    Json,

    /// <summary><c>multipart/form-data</c>.</summary>
    Form,
}

/// <summary>An exact pair of method and path of an inference API. Cube serves no other.</summary>
/// <param name="Name">In metrics, logs and as <c>operationId</c>.</param>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">Below the domain. <c>{model}</c> at its end is a model's id, which may contain slashes and escapes.</param>
/// <param name="Permission">What the caller's role in the domain must allow; null where only administrators of the platform may use the endpoint.</param>
public record InferenceEndpoint(string Name, string Method, string Path, string? Permission)
{
    /// <summary>What a model server must support to serve the endpoint.</summary>
    public virtual BackendFeatures RequiredFeatures { get; init; }

    /// <summary>The path that the model server is asked at, before the differences of its kind. By default the endpoint's own.</summary>
    public virtual string BackendPath { get; init; } = Path;
}

/// <summary>An endpoint that a model server answers.</summary>
/// <param name="Body">What the client sends.</param>
/// <param name="Request">Translates its requests.</param>
/// <param name="Response">Translates its responses.</param>
public sealed record ForwardedEndpoint(string Name, string Method, string Path, string? Permission, BodyKind Body, RequestTranslator Request, ResponseTranslator Response)
    : InferenceEndpoint(Name, Method, Path, Permission)
{
    /// <summary>Whether it changes the models that the model server has.</summary>
    public bool ChangesModels => Permission is null;

    public override BackendFeatures RequiredFeatures => Request.RequiredFeatures;

    public override string BackendPath => Request.BackendPath ?? Path;
}
