using System.Text.Json;
using Cube.Inference;
using Cube.Inference.Errors;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Inference.Models;

/// <summary><c>/v1/models</c> and <c>/v1/models/{model}</c>: the models that the domain publishes and the caller may use.</summary>
internal sealed class ModelLists(ModelCatalogClient models, ProxyConfigurationProvider configuration, Permissions permissions)
{
    private const string Prefix = "/v1/models/";
    private static readonly string _action = InferenceEndpoints.ListModels.Permission ?? "";

    public async Task WriteAllAsync(HttpContext context)
    {
        if (await models.FindAllAsync(context) is not { } catalog)
        {
            return;
        }

        var (member, access) = (context.Features.GetRequiredFeature<DomainMember>(), context.Features.GetRequiredFeature<Access>());
        var published = catalog.Published(configuration.Current.FindCatalog(member.DomainId)).ToList();
        var allowed = await permissions.FindAsync(member, _action, [.. published.Select(static model => model.Id)], access, context.RequestAborted);
        if (!access.TokenAllowsAny(allowed))
        {
            await OpenAiError.InsufficientPermissions.WriteAsync(context);
            return;
        }

        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        foreach (var (model, _) in published.Zip(allowed).Where(static pair => pair.Second.IsAllowed))
        {
            model.Model.Write(model.Id, json);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <param name="path">The path below the domain as the client sent it.</param>
    /// <returns>The model's id without escapes.</returns>
    public static string IdOf(string path) => Uri.UnescapeDataString(path[Prefix.Length..]);

    /// <summary>Writes one model. A missing model and one that the caller may not use get the same error.</summary>
    public async Task WriteOneAsync(HttpContext context)
    {
        // The path as the client sent it, because the id can contain escaped slashes.
        var id = IdOf(context.Features.GetRequiredFeature<DomainPathFeature>().Rest);
        if (await models.FindAllAsync(context) is not { } catalog)
        {
            return;
        }

        var member = context.Features.GetRequiredFeature<DomainMember>();
        var access = await permissions.FindAsync(member, _action, id, context.Features.GetRequiredFeature<Access>(), context.RequestAborted);
        if (!access.ByToken)
        {
            await OpenAiError.InsufficientPermissions.WriteAsync(context);
            return;
        }

        var published = catalog.Published(configuration.Current.FindCatalog(member.DomainId)).FirstOrDefault(model => model.Id == id);
        if (!access.ByRole || published.Model is null)
        {
            await OpenAiError.ModelNotFound.WriteAsync(context);
            return;
        }

        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        published.Model.Write(published.Id, json);
    }
}
