using System.Net.Mail;
using Cube.Identity.Configuration;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Mail;

/// <summary>The section <c>Mail</c>: a server, or in Development a directory. Where there is neither, Cube sends none and says so.</summary>
internal sealed class MailOptions
{
    public const string Section = "Mail";

    /// <summary>SMTP server.</summary>
    public string Host { get; set; } = "";

    /// <summary>587 for <c>starttls</c>, 465 for <c>tls</c>.</summary>
    public int Port { get; set; } = 587;

    /// <summary><c>starttls</c>, <c>tls</c>, or in Development <c>none</c>.</summary>
    public string Security { get; set; } = "starttls";

    public string Username { get; set; } = "";

    public string Password { get; set; } = "";

    /// <summary>The address that mails come from.</summary>
    public string From { get; set; } = "";

    /// <summary>Where mails are put as files instead of being sent. Development only: they hold tokens.</summary>
    public string Directory { get; set; } = "";

    /// <summary>The address of the proxy as people know it, as <c>https://cube.example.com</c>: links in mails begin with it.</summary>
    public string LinkBase { get; set; } = "";

    public bool IsConfigured => Host.Length > 0 || Directory.Length > 0;
}

internal sealed class MailOptionsValidator(IHostEnvironment environment, IOptions<IdentityOptions> identity) : IValidateOptions<MailOptions>
{
    public ValidateOptionsResult Validate(string? name, MailOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (!options.IsConfigured)
        {
            if (identity.Value.SelfRegistration)
            {
                faults.AddError("Identity__SelfRegistration needs mail, or nobody could verify his account: set Mail__Host.");
            }

            return faults.Build();
        }

        if (options.Directory.Length > 0 && environment.IsProduction())
        {
            faults.AddError("Mail__Directory is for development only: set Mail__Host in Production.");
        }

        if (options.Security is not ("starttls" or "tls" or "none") || (options.Security == "none" && environment.IsProduction()))
        {
            faults.AddError("Mail__Security must be starttls or tls.");
        }

        if (!MailAddress.TryCreate(options.From, out _))
        {
            faults.AddError("Mail__From must be the address that mails come from.");
        }

        if (!Uri.TryCreate(options.LinkBase, UriKind.Absolute, out var link) || link.Scheme is not ("http" or "https"))
        {
            faults.AddError("Mail__LinkBase must be the address of the proxy as people know it, as https://cube.example.com.");
        }

        return faults.Build();
    }
}
