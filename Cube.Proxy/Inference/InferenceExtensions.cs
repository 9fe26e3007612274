using Cube.Inference;
using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.Proxy.Inference.Models;

namespace Cube.Proxy.Inference;

internal static class InferenceExtensions
{
    public static WebApplicationBuilder AddInference(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<InferenceForwarder>().AddSingleton<TokenMeter>().AddSingleton<CacheSalts>().AddSingleton<ModelCatalogClient>().AddSingleton<ModelLists>().AddSingleton<OllamaModelLists>();
        return builder;
    }

    /// <summary>Maps every inference endpoint. Each middleware of a forwarded request sets one feature, which later ones read.</summary>
    public static WebApplication MapInference(this WebApplication app)
    {
        var forward = Pipeline(app, static steps => steps.UseMiddleware<RequestReadingMiddleware>().UseMiddleware<ModelMiddleware>(), app.Services.GetRequiredService<InferenceForwarder>().ForwardAsync);
        var lists = app.Services.GetRequiredService<ModelLists>();
        var ollama = app.Services.GetRequiredService<OllamaModelLists>();
        foreach (var endpoint in InferenceEndpoints.All)
        {
            RequestDelegate handler = endpoint is ForwardedEndpoint ? forward
                : endpoint == InferenceEndpoints.ListModels ? Pipeline(app, null, lists.WriteAllAsync)
                : endpoint == InferenceEndpoints.GetModel ? Pipeline(app, null, lists.WriteOneAsync)
                : Pipeline(app, null, ollama.WriteAsync);
            var body = (endpoint as ForwardedEndpoint)?.Body ?? BodyKind.None;
            app.MapDomain(endpoint.Method, new DomainEndpointMetadata(endpoint.Name, endpoint.Path, body), handler, route =>
            {
                route.WithMetadata(endpoint);
                route.RequireDomainAction(new DomainActionRequirement(endpoint.Permission));
            });
        }

        return app;
    }

    /// <summary>Builds the pipeline of an endpoint: <see cref="RouteMiddleware"/>, the other middlewares, and the handler.</summary>
    public static RequestDelegate Pipeline(IEndpointRouteBuilder app, Action<IApplicationBuilder>? steps, RequestDelegate handler)
    {
        var pipeline = app.CreateApplicationBuilder().UseMiddleware<RouteMiddleware>();
        steps?.Invoke(pipeline);
        pipeline.Run(handler);
        return pipeline.Build();
    }

    /// <exception cref="InvalidOperationException">The endpoint is not forwarded to a model server.</exception>
    public static ForwardedEndpoint GetForwardedEndpoint(this HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<ForwardedEndpoint>() ?? throw new InvalidOperationException("The endpoint is not forwarded to a model server.");
}
